// SPDX-License-Identifier: GPL-2.0-or-later
// recover, undo, and what the other commands make of a journal that was left behind.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "ckpt-lease/base/bytes.hpp"
#include "io/file.hpp"
#include "rewrite/image_file.hpp"
#include "support.hpp"

namespace e2e {
namespace {

using ckpt_lease::EditList;
using ckpt_lease::Journal;

constexpr const char* kJournal = "no_deadline.img.ckpt-lease-journal";
constexpr const char* kHidden =
    "ckpt-lease: no_deadline.img: a change to this image was interrupted; it is read as it was "
    "before ('ckpt-lease recover' makes it so)\n";
constexpr const char* kTakenBack =
    "ckpt-lease: no_deadline.img: a change to this image had been interrupted; it was taken back "
    "first\n";

class Recovery : public Test {
 protected:
    // An image whose second lease's fl_rem_lease has become 9, and the journal of that.
    void interrupt() {
        image_ = copy("no_deadline");
        chmod(image_.c_str(), 0600);
        before_ = read_file(image_);
        std::string after = before_;
        put(after, kPlace, 4, 9, false);
        EditList edits;
        edits.add(kPlace, ckpt_lease::as_bytes(std::string_view(before_).substr(kPlace, 4)),
                  ckpt_lease::as_bytes(std::string_view(after).substr(kPlace, 4)));
        const ckpt_lease::io::File file(ckpt_lease::io::posix_system(), image_, O_RDWR);
        Journal journal;
        journal.identity = identify(file, edits);
        journal.image = std::filesystem::canonical(image_);
        ckpt_lease::io::File out(ckpt_lease::io::posix_system(), kJournal, O_WRONLY | O_CREAT,
                                 mode_t{0600});
        write_journal(journal, edits, out);
        std::fstream(image_, std::ios::in | std::ios::out | std::ios::binary) << after;
        after_ = after;
    }

    static constexpr std::size_t kPlace = 845 + kRemLease;
    std::string image_;
    std::string before_;
    std::string after_;
};

TEST_F(Recovery, ReadersShowWhatWasBeforeAndSaySo) {
    const std::string original = copy("no_deadline");
    const std::string shown = run({"show", original}).out;
    const std::string records = run({"records", original}).out;
    interrupt();
    for (const auto& [arguments, wanted] :
         {std::pair(std::vector<std::string>{"show", image_}, shown),
          std::pair(std::vector<std::string>{"records", image_}, records)}) {
        const Result result = run(arguments);
        EXPECT_EQ(result.status, 0);
        EXPECT_EQ(result.out, wanted);
        EXPECT_EQ(result.err, kHidden);
    }
    EXPECT_EQ(run({"verify", image_}).status, 0);
    EXPECT_EQ(run({"diff", image_, image_}).status, 0);
    EXPECT_EQ(run({"policy", "-n", "--add", "1", image_}).status, 0);
    EXPECT_EQ(read_file(image_), after_) << "readers write nothing";
    EXPECT_EQ(files(), (std::vector<std::string>{image_, kJournal}));
}

// What was captured with a checkpoint of CRIU is an image as any other.
TEST_F(Recovery, ACheckpointIsShownAsItWasBefore) {
    const std::string original = copy("no_deadline");
    const Json wanted = parse_valid("show", run({"show", "--json", original}).out)["images"][0];
    interrupt();
    std::filesystem::copy(std::filesystem::path(SOURCE_ROOT) / "tests/images/criu-4.2", "img");
    std::filesystem::rename(image_, "img/ckpt-lease.img");
    std::filesystem::rename(kJournal, ckpt_lease::journal_path("img/ckpt-lease.img"));
    const Result result = run({"show", "--json", "img"});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(parse_valid("show", result.out)["images"][0]["leases"], wanted["leases"]);
    EXPECT_EQ(result.err,
              "ckpt-lease: img/ckpt-lease.img: a change to this image was interrupted; it is read "
              "as it was before ('ckpt-lease recover' makes it so)\n");
}

TEST_F(Recovery, RecoverPutsTheOldBytesBack) {
    interrupt();
    const Result result = run({"recover", image_});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.out, "no_deadline.img: an interrupted change was taken back (1 edits)\n");
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(read_file(image_), before_);
    EXPECT_EQ(files(), std::vector<std::string>{image_});
    const Result again = run({"recover", image_});
    EXPECT_EQ(again.status, 0);
    EXPECT_EQ(again.out, "no_deadline.img: nothing to recover\n");
}

TEST_F(Recovery, RecoverInJson) {
    interrupt();
    const std::string other = copy("no_leases");
    const Result result = run({"recover", "--json", image_, "none.img", other});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(result.err, "ckpt-lease: none.img: cannot open: No such file or directory\n");
    const Json json = parse_valid("recover", result.out);
    EXPECT_EQ(json.at("images"),
              Json::parse(R"([{"subject": "no_deadline.img", "path": "no_deadline.img",
                               "put_back": true, "edits": 1, "errors": []},
                              {"subject": "none.img", "path": "none.img",
                               "error": "none.img: cannot open: No such file or directory",
                               "errors": [{"subject": "none.img", "code": "not_found",
                                           "message": "cannot open: No such file or directory",
                                           "file": "none.img", "offset": null, "record": null,
                                           "hint": null}]},
                              {"subject": "no_leases.img", "path": "no_leases.img",
                               "put_back": false, "edits": 0, "errors": []}])"));
}

TEST_F(Recovery, WritersTakeItBackFirst) {
    interrupt();
    const Result result = run({"edit", image_, "--index", "1", "--notified", "no"});
    EXPECT_EQ(result.status, 0);
    EXPECT_TRUE(result.err.starts_with(kTakenBack)) << result.err;
    std::string wanted = before_;
    put(wanted, 845 + kNotified, 1, 0, false);
    EXPECT_EQ(read_file(image_), wanted);
    EXPECT_EQ(files(), std::vector<std::string>{image_});
}

TEST_F(Recovery, AForeignJournalStopsEveryCommand) {
    interrupt();
    // Another file with the same bytes: the image was restored from a backup.
    write_file("new", after_);
    std::filesystem::rename("new", image_);
    const std::string wanted =
        "ckpt-lease: " + std::string(std::filesystem::canonical(".")) + "/" + kJournal +
        ": this journal of an interrupted change does not belong to no_deadline.img: it was made "
        "for another file, or one on another file system (nothing was changed; if both were copied "
        "or the file system was mounted anew, use 'ckpt-lease recover --copied', and if the image "
        "was replaced, remove the journal)\n";
    for (const std::vector<std::string>& arguments :
         std::vector<std::vector<std::string>>{{"show", image_},
                                               {"verify", image_},
                                               {"records", image_},
                                               {"policy", "--add", "1", image_},
                                               {"edit", image_, "--index", "1", "--notified", "no"},
                                               {"recover", image_}}) {
        const Result result = run(arguments);
        EXPECT_EQ(result.status, 1) << arguments.front();
        EXPECT_EQ(result.err, wanted) << arguments.front();
        EXPECT_EQ(read_file(image_), after_) << arguments.front();
        EXPECT_TRUE(std::filesystem::exists(kJournal)) << arguments.front();
    }
    EXPECT_EQ(run({"recover", "--copied", image_}).status, 0);
    EXPECT_EQ(read_file(image_), before_);
}

TEST_F(Recovery, AnOutputWithAJournalIsRefused) {
    interrupt();
    const std::string other = copy("holder_breaker");
    const Result result = run({"policy", "--add", "1", "-o", image_, other});
    EXPECT_EQ(result.status, 3);
    EXPECT_NE(result.err.find("there is a journal of an interrupted change to this file"),
              std::string::npos)
        << result.err;
    EXPECT_EQ(read_file(image_), after_);
}

// A checkpoint in a folder is named by that folder, as everywhere else.
TEST_F(Recovery, TakesTheFolderOfACheckpoint) {
    interrupt();
    std::filesystem::copy(std::filesystem::path(SOURCE_ROOT) / "tests/images/criu-4.2", "img");
    EXPECT_EQ(run({"recover", "img"}).out, "img: nothing to recover\n");
    std::filesystem::create_directory("alone");
    for (const std::string folder : {"img", "alone"}) {
        const std::string image = folder + "/ckpt-lease.img";
        std::filesystem::copy(image_, image);
        std::filesystem::copy(kJournal, image + ".ckpt-lease-journal");
        const Result result = run({"recover", "--copied", folder});
        EXPECT_EQ(result.status, 0) << result.err;
        EXPECT_EQ(result.out, folder + ": an interrupted change was taken back (1 edits)\n");
        EXPECT_EQ(read_file(image), before_);
        EXPECT_FALSE(std::filesystem::exists(image + ".ckpt-lease-journal"));
    }
    std::filesystem::create_directory("empty");
    const Result result = run({"recover", "empty"});
    EXPECT_EQ(result.status, 3);
    EXPECT_NE(result.err.find("empty: there is no checkpoint"), std::string::npos) << result.err;
}

TEST_F(Recovery, UndoTakesTheFolderOfACheckpoint) {
    before_ = read_file(copy("no_deadline"));
    std::filesystem::create_directory("img");
    write_file("img/ckpt-lease.img", before_);
    chmod("img/ckpt-lease.img", 0600);
    ASSERT_EQ(run({"policy", "--add", "10", "--undo-file", "u", "img"}).status, 0);
    ASSERT_NE(read_file("img/ckpt-lease.img"), before_);
    std::filesystem::rename("img", "moved");
    const Result result = run({"undo", "--image", "moved", "u"});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(read_file("moved/ckpt-lease.img"), before_);
    std::filesystem::copy(std::filesystem::path(SOURCE_ROOT) / "tests/images/criu-4.2", "bare");
    const Result none = run({"undo", "--image", "bare", "u"});
    EXPECT_EQ(none.status, 2);
    EXPECT_EQ(none.err,
              "ckpt-lease: bare: no leases were captured with this checkpoint (give a copy of the "
              "image that was changed)\n");
}

TEST_F(Recovery, UndoTakesAChangeBack) {
    image_ = copy("no_deadline");
    chmod(image_.c_str(), 0600);
    const std::string before = read_file(image_);
    ASSERT_EQ(run({"policy", "--add", "10", "--undo-file", "u", image_}).status, 0);
    const std::string after = read_file(image_);
    ASSERT_NE(after, before);
    const std::string path = std::filesystem::canonical(image_);
    const Result result = run({"undo", "u"});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.out, path + ": is as it was before the change (3 edits taken back)\n");
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(read_file(image_), before);
    const Result again = run({"undo", "--json", "u"});
    EXPECT_EQ(again.status, 0);
    EXPECT_EQ(parse_valid("undo", again.out), Json({{"schema", "ckpt-lease/undo/1"},
                                                    {"undo_file", "u"},
                                                    {"path", path},
                                                    {"put_back", false},
                                                    {"edits", 3},
                                                    {"errors", Json::array()},
                                                    {"warnings", Json::array()}}));

    // On a copy of what the change had made.
    write_file("copy.img", after);
    EXPECT_EQ(run({"undo", "--image", "copy.img", "u"}).status, 0);
    EXPECT_EQ(read_file("copy.img"), before);
}

TEST_F(Recovery, UndoRefusesAnImageThatWasChangedAgain) {
    image_ = copy("no_deadline");
    chmod(image_.c_str(), 0600);
    ASSERT_EQ(run({"policy", "--add", "10", "--undo-file", "u", image_}).status, 0);
    ASSERT_EQ(run({"policy", "--add", "10", image_}).status, 0);
    const std::string twice = read_file(image_);
    const Result result = run({"undo", "u"});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.err, "ckpt-lease: " + std::string(std::filesystem::canonical(image_)) +
                              ": the image was changed again where u would change it (nothing was "
                              "changed; take later changes back first)\n");
    EXPECT_EQ(read_file(image_), twice);
}

TEST_F(Recovery, UndoRefusesWhatIsNoUndoFile) {
    interrupt();
    const Result journal = run({"undo", kJournal});
    EXPECT_EQ(journal.status, 2);
    EXPECT_NE(journal.err.find("this is the journal of an interrupted change"), std::string::npos);
    const Result image = run({"undo", image_});
    EXPECT_EQ(image.status, 1);
    EXPECT_EQ(image.err, "ckpt-lease: " + image_ +
                             ": this is no undo file (give what policy --undo-file or edit "
                             "--undo-file kept)\n");
    EXPECT_EQ(read_file(image_), after_);
}

TEST_F(Recovery, UndoFilesAreForOneImageInPlace) {
    const std::string a = copy("no_deadline");
    const std::string b = copy("no_leases");
    struct {
        std::vector<std::string> arguments;
        const char* message;
    } const cases[] = {
        {{a, b},
         "ckpt-lease: --undo-file takes one image, and several are given (call ckpt-lease once for "
         "each)\n"},
        {{"-n", a},
         "ckpt-lease: no_deadline.img: an undo file is for an image that is rewritten in place "
         "(leave "
         "--undo-file out)\n"},
        {{"-o", "out", a},
         "ckpt-lease: no_deadline.img: an undo file is for an image that is rewritten in place "
         "(leave "
         "--undo-file out)\n"},
        {{"-"},
         "ckpt-lease: standard input: an undo file is for an image that is rewritten in place "
         "(leave "
         "--undo-file out)\n"},
    };
    for (const auto& c : cases) {
        std::vector<std::string> arguments{"policy", "--add", "1", "--undo-file", "u"};
        arguments.insert(arguments.end(), c.arguments.begin(), c.arguments.end());
        const Result result = run(arguments);
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.err, c.message);
    }
    EXPECT_EQ(files(), (std::vector<std::string>{a, b}));
}

TEST_F(Recovery, AnImageInUseIsAnError) {
    const std::string image = copy("no_deadline");
    chmod(image.c_str(), 0600);
    const ckpt_lease::ImageFile writer(ckpt_lease::io::posix_system(), image,
                                       {.access = ckpt_lease::ImageFile::Access::write});
    const Result reader = run({"show", image});
    EXPECT_EQ(reader.status, 3);
    EXPECT_EQ(reader.err,
              "ckpt-lease: no_deadline.img: another process is rewriting the image (--wait waits "
              "until it is done)\n");
    const Result other = run({"policy", "--add", "1", image});
    EXPECT_EQ(other.status, 3);
    EXPECT_EQ(other.err,
              "ckpt-lease: no_deadline.img: another process is using the image (--wait waits until "
              "it is done)\n");
}

TEST_F(Recovery, APipeFromAnImageWithAJournalIsRefused) {
    interrupt();
    EXPECT_EQ(run({"recover", "-"}).status, 2);
}

}  // namespace
}  // namespace e2e
