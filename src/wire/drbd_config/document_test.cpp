#include "wire/drbd_config/document.h"

#include <gtest/gtest.h>

namespace bascule::drbd_config {
namespace {

Result<std::vector<Source>> no_such_file(const std::string& pattern, const std::string&) {
  return fail("no such file", pattern);
}

const std::string hosts =
    "on alice { device /dev/drbd0; disk /dev/sdb1; address 10.0.0.1:7789; meta-disk internal; }\n"
    "on bob { device /dev/drbd0; disk /dev/sdb1; address 10.0.0.2:7789; meta-disk internal; }\n";

TEST(Document, IncludedFilesAreReadInTheirPlaces) {
  const Include include = [](const std::string& pattern, const std::string& from) -> Result<std::vector<Source>> {
    EXPECT_EQ(pattern, "drbd.d/*.res");
    EXPECT_EQ(from, "/etc/drbd.conf");
    return std::vector<Source>{{"/etc/drbd.d/a.res", "resource a { " + hosts + " }"},
                               {"/etc/drbd.conf", "resource never { }"}};
  };
  const auto document = parse({"/etc/drbd.conf", "include \"drbd.d/*.res\";\ncommon { protocol A; }"}, include);
  ASSERT_TRUE(document.has_value()) << document.error().text();
  ASSERT_EQ(document->resources.size(), 1u) << "a file is read once";
  EXPECT_EQ(document->resources[0].at.file, "/etc/drbd.d/a.res");
  EXPECT_EQ(document->common->net.at(0).values.at(0), "A");
}

TEST(Document, AnIncludeThatFailsIsAnErrorWhereItStands) {
  const auto document = parse({"m", "\n  include \"x\";"}, no_such_file);
  ASSERT_FALSE(document.has_value());
  EXPECT_EQ(document.error().where, "m:2:11");
}

TEST(Document, SettingsKeepTheirPlaces) {
  const auto document =
      parse({"m", "resource r {\n net { no-tcp-cork;\n   timeout 5; }\n" + hosts + "}"}, no_such_file);
  ASSERT_TRUE(document.has_value()) << document.error().text();
  const Settings& net = document->resource("r")->sections.net;
  EXPECT_EQ(net.at(0).name, "tcp-cork");
  EXPECT_EQ(net.at(0).values, std::vector<std::string>{"no"});
  EXPECT_EQ(net.at(1).at.text(), "m:3:4");
}

struct Wrong {
  const char* name;
  std::string text;
  const char* where;
  const char* why;
};

class WrongDocuments : public testing::TestWithParam<Wrong> {};

TEST_P(WrongDocuments, SayLineColumnAndWhy) {
  const auto document = parse({"m", GetParam().text}, no_such_file);
  ASSERT_FALSE(document.has_value());
  EXPECT_EQ(document.error().where, GetParam().where);
  EXPECT_NE((document.error().why + " " + document.error().hint).find(GetParam().why), std::string::npos)
      << document.error().text();
}

const std::vector<Wrong> wrong_documents{
    {"UnknownTop", "foo", "m:1:1", "'foo' stands here"},
    {"UnknownOption", "resource r {\n net {\n  bla 3;\n } }", "m:3:3", "max-buffers"},
    {"OptionOutOfRange", "resource r {\n net { timeout 700; } }", "m:2:16", "1 to 600"},
    {"WordUnknown", "resource r { net { after-sb-0pri x; } }", "m:1:34", "discard-zero-changes"},
    {"NoSemicolon", "resource r { net { timeout 5 } }", "m:1:30", "';'"},
    {"OpenString", "resource r { net { shared-secret \"a\n\"; } }", "m:1:34", "does not end"},
    {"EndInside", "resource r {\n net {\n", "m:3:1", "the file ends"},
    {"TwoNets", "resource r {\n net { }\n net { } }", "m:3:2", "first used at m:2:2"},
    {"TwoResources", "resource r { }\nresource r { }", "m:2:1", "used twice"},
    {"NoAddress", "resource r {\n on a { device minor 1; disk /x; meta-disk internal; } }", "m:2:2", "address"},
    {"NoMetaDisk", "resource r {\n on a { device minor 1; disk /x; address 1.2.3.4:5; } }", "m:2:2", "meta-disk"},
    {"BadPort", "resource r { on a { address 1.2.3.4:0; } }", "m:1:37", "1 to 65535"},
    {"NameAsAddress", "resource r { on a { address host:7; } }", "m:1:29", "10.0.0.1:7789"},
    {"DeviceName", "resource r { on a { device /dev/sda; } }", "m:1:28", "/dev/drbd"},
    {"DeviceWithoutNumber", "resource r { on a { device /dev/drbd_x; } }", "m:1:28", "minor"},
    {"Template", "resource r { template-file \"x\"; }", "m:1:14", "no counterpart"},
    {"Mesh", "resource r { connection-mesh { hosts a b c; } }", "m:1:32", "two hosts"},
    {"Paths", "resource r { connection { path { } } }", "m:1:27", "several paths"},
    {"ConnectionFirst", "resource r { connection { host a; } }", "m:1:32", "before the connection"},
};

INSTANTIATE_TEST_SUITE_P(All, WrongDocuments, testing::ValuesIn(wrong_documents),
                         [](const auto& one) { return one.param.name; });

TEST(Document, TheOneConnectionOfDrbd9IsRead) {
  const auto document =
      parse({"m",
             "require-drbd-module-version-ge 9.0.0;\nresource r { options { quorum majority; auto-promote no; }\n"
             "on alice { node-id 0; volume 0 { device minor 1; disk /x; meta-disk internal; } address 10.0.0.1:1; }\n"
             "on bob { node-id 1; volume 0 { device minor 1; disk /x; meta-disk internal; } address 10.0.0.2:1; }\n"
             "connection { host alice address 10.1.0.1:7; host bob port 8; net { protocol A; } } }"},
            no_such_file);
  ASSERT_TRUE(document.has_value()) << document.error().text();
  const Resource& resource = document->resources.at(0);
  EXPECT_EQ(resource.hosts.at(0).address, (Address{"ipv4", "10.1.0.1", 7}));
  EXPECT_EQ(resource.hosts.at(1).address, (Address{"ipv4", "10.0.0.2", 8}));
  EXPECT_EQ(resource.sections.net.at(0).values.at(0), "A");
  EXPECT_EQ(resource.hosts.at(1).node_id, 1u);
}

}  // namespace
}  // namespace bascule::drbd_config
