#include "runtime/metadata_tool/tool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/test_directory.h"

namespace bascule::metadata_tool {
namespace {

namespace fs = std::filesystem;

struct Tool : ::testing::Test {
  Tool() {
    device = directory / "device";
    std::ofstream(device).put(0);
    fs::resize_file(device, 8 << 20);
  }
  int drbdmeta(const std::string& format, const std::vector<std::string>& command,
               const std::string& placement = "internal") {
    std::vector<std::string> arguments{"0", format, device.string(), placement};
    arguments.insert(arguments.end(), command.begin(), command.end());
    return run_with(arguments);
  }
  int run_with(const std::vector<std::string>& arguments) {
    out.str("");
    err.str("");
    return run(arguments, {out, err});
  }
  std::string body() const { return out.str().substr(out.str().find("version \"")); }
  std::string dump(const std::string& format) {
    EXPECT_EQ(drbdmeta(format, {"dump-md", "--real-flags"}), done) << err.str();
    return body();
  }
  TestDirectory made;
  fs::path directory = made.path(), device;
  std::ostringstream out, err;
};

TEST_F(Tool, MakesDumpsWipesAndRestores) {
  ASSERT_EQ(drbdmeta("v09", {"create-md", "3"}), done) << err.str();
  ASSERT_EQ(drbdmeta("v09", {"set-gi", "--node-id", "2", "A:B:C:D:1:1"}), done) << err.str();
  const std::string before = dump("v09");
  EXPECT_EQ(out.str().substr(0, 21), "# DRBD meta data dump");
  std::ofstream(directory / "dump") << before;
  EXPECT_EQ(drbdmeta("v09", {"wipe-md"}), refused);
  ASSERT_EQ(drbdmeta("v09", {"wipe-md", "--force"}), done);
  EXPECT_EQ(drbdmeta("v09", {"dump-md"}), refused);
  EXPECT_EQ(drbdmeta("v09", {"restore-md", directory / "dump", "--force"}), done) << err.str();
  EXPECT_EQ(dump("v09"), before);
}

TEST_F(Tool, SetsAndGetsGenerations) {
  ASSERT_EQ(drbdmeta("v08", {"create-md"}), done);
  ASSERT_EQ(drbdmeta("v08", {"set-gi", "1:2:3:4:1:1:0:0:0:1"}), done);
  EXPECT_EQ(drbdmeta("v08", {"get-gi"}), done);
  EXPECT_EQ(out.str(), "0000000000000001:0000000000000002:0000000000000003:0000000000000004:1:1:0:0:0:1:0\n");
  EXPECT_EQ(drbdmeta("v08", {"dstate"}), done);
  EXPECT_EQ(out.str(), "UpToDate\n");
  EXPECT_EQ(drbdmeta("v08", {"outdate"}), done);
  EXPECT_EQ(drbdmeta("v08", {"dstate", "--json"}), done);
  EXPECT_EQ(nlohmann::json::parse(out.str()).at("disk_state"), "Outdated");
  EXPECT_EQ(drbdmeta("v08", {"write-dev-uuid", "ABC"}), done);
  EXPECT_EQ(drbdmeta("v08", {"read-dev-uuid"}), done);
  EXPECT_EQ(out.str(), "0000000000000ABC\n");
}

TEST_F(Tool, OverwritesNothingWithoutForce) {
  std::fstream(device).seekp(1024 + 56).write("\x53\xef", 2);
  EXPECT_EQ(drbdmeta("v08", {"create-md"}), refused);
  EXPECT_NE(err.str().find("ext2/3/4"), std::string::npos) << err.str();
  EXPECT_EQ(drbdmeta("v08", {"create-md"}, "flex-external"), refused);
  EXPECT_EQ(drbdmeta("v08", {"create-md", "--force"}), done);
  EXPECT_EQ(drbdmeta("v08", {"create-md"}), refused);
  EXPECT_NE(err.str().find("valid v08 metadata"), std::string::npos) << err.str();
}

TEST_F(Tool, ConvertsThereAndBack) {
  ASSERT_EQ(drbdmeta("v08", {"create-md"}), done);
  ASSERT_EQ(drbdmeta("v08", {"set-gi", "1:2:3:4:1:1"}), done);
  const std::string before = dump("v08");
  ASSERT_EQ(drbdmeta("v08", {"convert", "v09"}), done) << err.str();
  EXPECT_EQ(drbdmeta("v08", {"dump-md"}), refused);
  EXPECT_NE(err.str().find("v09 metadata, not v08"), std::string::npos);
  ASSERT_EQ(drbdmeta("v09", {"convert", "v08"}), done) << err.str();
  EXPECT_EQ(dump("v08"), before);
}

TEST_F(Tool, MovesMetadataWithTheEndOfTheDevice) {
  ASSERT_EQ(drbdmeta("v08", {"create-md"}), done);
  ASSERT_EQ(drbdmeta("v08", {"set-gi", "77"}), done);
  fs::resize_file(device, 16 << 20);
  EXPECT_EQ(drbdmeta("v08", {"resize"}), refused);
  EXPECT_NE(err.str().find("--old-size"), std::string::npos) << err.str();
  EXPECT_EQ(drbdmeta("v08", {"resize", "--old-size", "8M"}), done) << err.str();
  EXPECT_NE(dump("v08").find("0x0000000000000077"), std::string::npos);
  EXPECT_EQ(drbdmeta("v08", {"resize", "--size", "4M"}), done) << err.str();
  EXPECT_EQ(drbdmeta("v08", {"dump-md"}), refused);
  fs::resize_file(device, 4 << 20);
  EXPECT_EQ(drbdmeta("v08", {"resize", "--al-stripes", "4"}), done) << err.str();
  EXPECT_NE(dump("v08").find("al-stripes 4;"), std::string::npos);
}

TEST_F(Tool, WrongUsageHasTheCodesOfDrbdmeta) {
  EXPECT_EQ(run_with({}), unusable);
  EXPECT_EQ(drbdmeta("v07", {"dump-md"}), unusable);
  EXPECT_EQ(drbdmeta("v08", {"dump-md"}, "300"), unusable);
  EXPECT_EQ(drbdmeta("v08", {"dance"}), unusable);
  EXPECT_EQ(drbdmeta("v08", {"dump-md", "--dance"}), unusable);
  EXPECT_EQ(drbdmeta("v08", {"dump-md"}), refused);
  EXPECT_EQ(drbdmeta("v09", {"create-md"}), wrong_usage);
  EXPECT_EQ(drbdmeta("v09", {"get-gi"}), wrong_usage);
  EXPECT_EQ(drbdmeta("v08", {"set-gi"}), wrong_usage);
  EXPECT_EQ(drbdmeta("v08", {"create-md", "--al-stripes", "x"}), wrong_usage);
  EXPECT_EQ(drbdmeta("v08", {"create-md"}, "1"), wrong_usage);
  device = directory / "missing";
  EXPECT_EQ(drbdmeta("v08", {"dump-md"}), unusable);
  EXPECT_EQ(drbdmeta("v08", {"dump-md", "--json"}), unusable);
  EXPECT_EQ(nlohmann::json::parse(out.str()).at("ok"), false);
}

TEST_F(Tool, ADumpWithAMistakeIsRefusedWithItsLine) {
  std::ofstream(directory / "dump") << "version \"v08\";\nuuid [\n";
  EXPECT_EQ(drbdmeta("v08", {"restore-md", directory / "dump"}), wrong_usage);
  EXPECT_NE(err.str().find("line 2, column 6"), std::string::npos) << err.str();
}

TEST(Help, NamesEveryCommand) {
  for (const char* command :
       {"create-md", "dump-md", "restore-md", "verify-dump", "apply-al", "wipe-md", "convert", "resize", "get-gi",
        "show-gi", "set-gi", "outdate", "invalidate", "dstate", "read-dev-uuid", "write-dev-uuid", "Examples"})
    EXPECT_NE(help().find(command), std::string::npos) << command;
}

}  // namespace
}  // namespace bascule::metadata_tool
