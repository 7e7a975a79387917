// SPDX-License-Identifier: GPL-2.0-or-later
#include "support.hpp"

namespace e2e {
namespace {

class Help : public Test {};

const std::vector<std::string>& commands() {
    static const std::vector<std::string> names{
        "show", "policy",  "edit",  "verify",    "records", "diff",  "recover",
        "undo", "capture", "apply", "criu-hook", "layouts", "schema"};
    return names;
}

TEST_F(Help, TeachesByExample) {
    EXPECT_NE(run({"--help"}).out.find("Examples:\n"), std::string::npos);
    for (const std::string& command : commands()) {
        const Result result = run({command, "--help"});
        EXPECT_EQ(result.status, 0);
        EXPECT_EQ(result.err, "");
        EXPECT_NE(result.out.find("Examples:\n"), std::string::npos) << command;
    }
}

TEST_F(Help, SaysThatThePluginNeedsNoConfiguration) {
    EXPECT_NE(run({"criu-hook", "--help"}).out.find(R"(The plugin, which
CRIU loads by itself from /usr/lib/criu, needs no configuration; the script is
for a CRIU that has no plugin.)"),
              std::string::npos);
}

TEST_F(Help, Fits80Columns) {
    std::vector<std::vector<std::string>> calls{{"--help"}};
    for (const std::string& command : commands()) {
        calls.push_back({command, "--help"});
    }
    for (const auto& call : calls) {
        const std::string help = run(call).out;
        for (std::size_t at = 0; at < help.size();) {
            const std::size_t end = help.find('\n', at);
            EXPECT_LE(end - at, 80U) << help.substr(at, end - at);
            at = end + 1;
        }
    }
}

// Each version of CLI11 would lay it out in another way, and some leave out the examples.
TEST_F(Help, HasOneLayout) {
    const std::string help = run({"diff", "--help"}).out;
    EXPECT_TRUE(help.starts_with(R"(Show how the leases of two images differ
Usage: ckpt-lease diff [OPTIONS] A B

Positionals:
  A                       an image, or CRIU's folder or archive; - is standard
                          input
  B                       another

Options:
  -h,--help               Print this help message and exit
  --json                  print JSON; ckpt-lease(1) says where its schemas are
)")) << help;
    EXPECT_TRUE(help.ends_with(R"(
  --color,--colour WHEN   bold and dim text: auto (on terminals), always or
                          never

Leases are matched by path, descriptor and the pids of their tasks.
Exit status, as diff(1): 0 the same, 1 they differ, 2 trouble.

Examples:
  ckpt-lease policy --add 10 -o new.img job.img; ckpt-lease diff job.img new.img
  ckpt-lease diff --json a.img b.img | jq '.differences[].path'
)")) << help;
    EXPECT_TRUE(run({"--help"}).out.starts_with(R"(Show and rewrite file leases in checkpoint images
Usage: ckpt-lease [OPTIONS] COMMAND

Options:
  -h,--help               Print this help message and exit
  -V,--version            Display program version information and exit

Subcommands:
  show )"));
    EXPECT_TRUE(run({"show", "--help"}).out.find("Usage: ckpt-lease show [OPTIONS] [IMAGE...]\n") !=
                std::string::npos);
}

TEST_F(Help, IsACommand) {
    for (const std::vector<std::string>& general :
         std::vector<std::vector<std::string>>{{"help"}, {"help", "help"}, {"help", "--json"}}) {
        EXPECT_EQ(run(general).out, run({"--help"}).out);
    }
    for (const std::string& command : commands()) {
        const Result result = run({"help", command});
        EXPECT_EQ(result.status, 0);
        EXPECT_EQ(result.out, run({command, "--help"}).out);
    }
}

}  // namespace
}  // namespace e2e
