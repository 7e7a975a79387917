// SPDX-License-Identifier: GPL-2.0-or-later
// Names of other people's files on root's terminal: what they hold beside text would be done there.
#include <sys/stat.h>
#include <unistd.h>

#include "support.hpp"

namespace attack {
namespace {

namespace fs = std::filesystem;

// ESC and a colour, BEL, CR, DEL, C1 as one byte and in UTF-8, and from right to left.
const std::string kName = "a\x1b[31m\a\r\x7f\x9b\xc2\x9b\xe2\x80\xae.img";

void expect_harmless(const std::string& text, const std::string& whence) {
    EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos) << whence;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        EXPECT_TRUE(byte >= 0x20 || byte == '\n')
            << whence << ": " << ::testing::PrintToString(text);
        EXPECT_NE(byte, 0x7f) << whence;
        // C1 alone is no UTF-8, in it a byte of 0xc2 stands before.
        const bool is_c1 = byte >= 0x80 && byte < 0xa0;
        const bool follows = i > 0 && static_cast<unsigned char>(text[i - 1]) >= 0x80;
        EXPECT_FALSE(is_c1 && (!follows || text[i - 1] == '\xc2'))
            << whence << ": " << ::testing::PrintToString(text);
    }
}

class Names : public Attack {
 protected:
    static void expect_harmless_run(const std::vector<std::string>& words) {
        const Outcome outcome = run(words);
        const std::string whence = ::testing::PrintToString(words);
        EXPECT_NE(outcome.err + outcome.out, "") << whence;
        expect_harmless(outcome.err, whence);
        expect_harmless(outcome.out, whence);
    }
};

TEST_F(Names, OfImages) {
    alice::writes("alice/" + kName, image_bytes("holder_breaker.img"));
    for (const std::string& image : {"alice/" + kName, "alice/no" + kName}) {
        for (const char* const command : {"show", "verify", "records", "recover", "undo"}) {
            expect_harmless_run({command, "-vvv", image});
        }
        expect_harmless_run({"diff", image, "alice/no" + kName});
        expect_harmless_run({"policy", "--set", "1", "-vvv", image});
        expect_harmless_run({"policy", "--set", "1", "-vvv", "-o", image + "2", image});
        expect_harmless_run({"edit", "--index", "0", "--remaining", "1", "-vvv", image});
        expect_harmless_run({"policy", "--set", "1", "--rules", image, image});
        expect_harmless_run({"policy", "--set", "1", "--layout", image, image});
    }
}

TEST_F(Names, OfFoldersAndArchives) {
    const std::string folder = "alice/" + kName;
    alice::makes_folder(folder);
    expect_harmless_run({"show", folder});
    shell("cp admin/*.img '" + folder + "'");
    shell("cp admin/job.tar '" + folder + ".tar'");
    for (const std::string& checkpoint : {folder, folder + ".tar"}) {
        expect_harmless_run({"show", checkpoint});
        expect_harmless_run({"policy", "--set", "1", checkpoint});
        expect_harmless_run({"policy", "--favor-holder", "-vvv", checkpoint});
        expect_harmless_run({"policy", "--favor-breaker", "-vvv", checkpoint});
    }
}

TEST_F(Names, ThatAreNoCommandNorOption) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{kName},
          {"--" + kName},
          {"show", "--" + kName},
          {"show", "--pid", kName},
          {"policy", "--set", kName, "admin/job.img"},
          {"policy", "--elapsed", "--now", kName, "admin/job.img"},
          {"policy", "--set", "1", "--target", kName, "admin/job.img"},
          {"layouts", kName}}) {
        expect_harmless_run(words);
    }
}

TEST_F(Names, ThatAJournalOrAnUndoFileHolds) {
    using Purpose = ckpt_lease::Journal::Purpose;
    const std::string image = "admin/" + kName;
    write_file(image, image_bytes("holder_breaker.img"));
    for (const Purpose purpose : {Purpose::undo, Purpose::rollback}) {
        write_file("admin/undo", journal_for(image, purpose, "evil"));
        expect_harmless_run({"undo", "-vvv", "admin/undo"});
    }
    fs::remove("admin/undo");
    fs::remove(image);
}

TEST_F(Names, OfTheHooksFolder) {
    const std::string folder = "alice/" + kName;
    const Outcome none = run_hook("post-dump", folder);
    EXPECT_NE(none.err, "");
    expect_harmless(none.err, "no folder");
    alice::makes_folder(folder);
    run_hook("post-dump", folder, std::to_string(getpid()));
    expect_harmless(read_file(folder + "/ckpt-lease.log"), "log");
    fs::remove(folder + "/ckpt-lease.log");
    alice::makes_fifo(folder + "/ckpt-lease.log");
    const Outcome outcome = run_hook("pre-resume", folder);
    EXPECT_NE(outcome.err, "");
    expect_harmless(outcome.err, "instead of the log");
}

}  // namespace
}  // namespace attack
