#include "runtime/keys/key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace bascule::keys {
namespace {

class KeyFile : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory); }
  void TearDown() override { std::filesystem::remove_all(directory); }
  std::string directory = testing::TempDir() + "bascule-keys-" + std::to_string(::getpid());
  std::string path = directory + "/cluster.key";
};

TEST_F(KeyFile, IsReadAsItWasWrittenAndOnlyByItsOwner) {
  const auto key = fresh_key(1);
  ASSERT_TRUE(key);
  ASSERT_TRUE(write(path, sealed::Keyring(*key), Existing::Refuse));
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const auto read_back = read(path);
  ASSERT_TRUE(read_back) << read_back.error().text();
  EXPECT_EQ(read_back->sending().secret, key->secret);
  EXPECT_NE(fresh_key(1)->secret, key->secret);
  ::chmod(path.c_str(), 0640);
  EXPECT_EQ(read(path).error().why, "others than its owner may read or write it");
}

TEST_F(KeyFile, IsNotOverwrittenUnasked) {
  ASSERT_TRUE(write(path, sealed::Keyring(sealed::Key{1, {}}), Existing::Refuse));
  const auto again = write(path, sealed::Keyring(sealed::Key{2, {}}), Existing::Refuse);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().why, "there is a file already");
  EXPECT_EQ(read(path)->sending().id, 1u);
  ASSERT_TRUE(write(path, sealed::Keyring(sealed::Key{2, {}}), Existing::Replace));
  EXPECT_EQ(read(path)->sending().id, 2u);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_F(KeyFile, ThatIsNotThereSaysHowToMakeOne) {
  const auto missing = read(path);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().hint.find("bascule key create " + path), std::string::npos);
  EXPECT_FALSE(write(directory + "/no/cluster.key", sealed::Keyring(sealed::Key{1, {}}), Existing::Refuse));
  EXPECT_FALSE(read(directory));
}

}  // namespace
}  // namespace bascule::keys
