// SPDX-License-Identifier: GPL-2.0-or-later
// Every command takes every subject: an image, what comes through a pipe, CRIU's folder, archives.
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>

#include "io/file.hpp"
#include "rewrite/undo.hpp"
#include "support.hpp"
#include "support/fed_pipe.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;
namespace io = ckpt_lease::io;

constexpr const char* kImage = "holder_breaker.img";

void shell(const std::string& command) {
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

// The leases of holder_breaker.img: by themselves, and as what was captured with a checkpoint.
class Subjects : public Test {
 protected:
    Subjects() {
        copy("holder_breaker");
        fs::copy(fs::path(SOURCE_ROOT) / "tests/images/criu-4.2", "bare");
        fs::copy("bare", "img");
        fs::copy(kImage, "img/ckpt-lease.img");
        shell("tar -cf job.tar img && tar -czf job.tar.gz img && tar --zstd -cf job.tar.zst img");
        shell("tar -C img -cJf job.tar.xz . && tar -cjf bare.tar.bz2 bare");
    }

    // The same leases, whatever they are in.
    static const std::vector<std::string>& all() {
        static const std::vector<std::string> names{kImage,       "img",         "job.tar",
                                                    "job.tar.gz", "job.tar.zst", "job.tar.xz"};
        return names;
    }
    static std::vector<std::string> archives() { return {all().begin() + 2, all().end()}; }

    static Json leases_of(const std::string& name, const std::string& input = {}) {
        const Json json = parse_valid("show", run({"show", "--json", name}, input).out);
        Json leases = json["images"][0]["leases"];
        for (Json& lease : leases) {
            lease.erase("offset");
        }
        return leases;
    }
    static double remaining_of(const std::string& name) {
        return leases_of(name)[0]["remaining_seconds"].get<double>();
    }
};

TEST_F(Subjects, AreShownAlike) {
    const Json leases = leases_of(kImage);
    ASSERT_GT(leases.size(), 0U);
    for (const std::string& name : all()) {
        EXPECT_EQ(leases_of(name), leases) << name;
        if (name != "img") {
            EXPECT_EQ(leases_of("-", read_file(name)), leases) << name << " through a pipe";
        }
    }
}

TEST_F(Subjects, AreVerified) {
    for (const std::string& name : all()) {
        const Json json = parse_valid("verify", run({"verify", "--json", name}).out);
        EXPECT_EQ(json["images"].size(), 1U) << name;
        EXPECT_EQ(json["images"][0]["path"], name);
    }
    EXPECT_EQ(run({"verify", kImage}).status, 0);
    for (const char* const name : {"bare", "bare.tar.bz2"}) {
        const Result result = run({"verify", name});
        EXPECT_EQ(result.status, 0) << result.out;
        EXPECT_EQ(result.out, std::string(name) + ": CRIU checkpoint, sound, 4 records\n");
    }
}

TEST_F(Subjects, HaveTheSameRecords) {
    const std::string records = run({"records", kImage}).out;
    for (const std::string& name : all()) {
        const Result result = run({"records", name});
        EXPECT_EQ(result.status, 0) << result.err;
        EXPECT_EQ(result.out, records) << name;
    }
    const Result bare = run({"records", "bare"});
    EXPECT_EQ(bare.status, 2);
    EXPECT_EQ(
        bare.err,
        "ckpt-lease: bare: no leases were captured with this checkpoint: there is no "
        "ckpt-lease.img (dump with the plugin or the action script that 'ckpt-lease criu-hook "
        "--check' looks for; without them there are policy --favor-holder and --favor-breaker)\n");
}

TEST_F(Subjects, AreCompared) {
    for (const std::string& name : all()) {
        EXPECT_EQ(run({"diff", kImage, name}).status, 0) << name;
        EXPECT_EQ(run({"diff", name, "bare"}).status, 1) << name;
    }
    EXPECT_EQ(run({"diff", "bare", "bare.tar.bz2"}).status, 0);
    EXPECT_TRUE(run({"diff", "img", "bare"}).out.starts_with("--- img\n+++ bare\n"));
}

TEST_F(Subjects, AreEdited) {
    for (const std::string& name : all()) {
        const Result result = run({"edit", "--index", "0", "--remaining", "1.5", name});
        EXPECT_EQ(result.status, 0) << result.err;
        EXPECT_EQ(remaining_of(name), 1.5) << name;
    }
    EXPECT_EQ(run({"edit", "--index", "0", "--remaining", "1.5", "bare"}).status, 2);
}

TEST_F(Subjects, AreRewritten) {
    for (const std::string& name : all()) {
        const Result result = run({"policy", "--set", "7", name});
        EXPECT_EQ(result.status, 0) << result.err;
        EXPECT_EQ(remaining_of(name), 7) << name;
        EXPECT_EQ(run({"policy", "--set", "7", "--require-match", name}).status, 0) << name;
        EXPECT_EQ(run({"policy", "--set", "1", "--comm", "nobody", "--require-match", name}).status,
                  4)
            << name;
        EXPECT_EQ(remaining_of(name), 7) << name;
    }
}

// A script asks a dry run whether the real one would do.
TEST_F(Subjects, ADryRunFailsWhereTheRealOneWould) {
    shell("gzip -c job.tar.zst > twice.tar.zst.gz");
    const std::string before = read_file("twice.tar.zst.gz");
    const Result real = run({"policy", "--set", "3", "twice.tar.zst.gz"});
    const Result dry = run({"policy", "-n", "--set", "3", "twice.tar.zst.gz"});
    EXPECT_EQ(real.status, 2);
    EXPECT_EQ(dry.status, 2);
    EXPECT_NE(dry.err, "");
    EXPECT_EQ(dry.err, real.err);
    EXPECT_EQ(read_file("twice.tar.zst.gz"), before);
    EXPECT_EQ(run({"policy", "-n", "--set", "3", "job.tar.zst"}).status, 0);
}

TEST_F(Subjects, CannotAllBeAppliedHere) {
    for (const std::string& name : all()) {
        const Result result = run({"apply", "--dry-run", name});
        EXPECT_EQ(result.status, 5) << name << ": " << result.err;
    }
    EXPECT_EQ(run({"apply", "--dry-run", "bare"}).status, 2);
}

TEST_F(Subjects, AnArchiveThroughAPipeIsAnArchiveAgain) {
    for (const std::string& name : archives()) {
        const std::string before = read_file(name);
        const Result piped = run({"policy", "--set", "7", "-"}, before);
        EXPECT_EQ(piped.status, 0) << piped.err;
        EXPECT_EQ(run({"policy", "--set", "7", "-o", "out", name}).status, 0);
        EXPECT_TRUE(piped.out == read_file("out")) << name;
        EXPECT_EQ(remaining_of("out"), 7) << name;
        EXPECT_TRUE(read_file(name) == before) << name;
        EXPECT_EQ(run({"policy", "--set", "7", "-n", "-"}, before).out, "") << name;
    }
}

TEST_F(Subjects, APipeHasOtherNamesThanOne) {
    for (const std::string& name : archives()) {
        const test_support::FedPipe pipe("pipe", read_file(name));
        EXPECT_EQ(leases_of("pipe"), leases_of(kImage)) << name;
    }
}

TEST_F(Subjects, WhoeverFillsThePipeIsHeardToTheEnd) {
    shell("bash -c 'set -o pipefail; (cat job.tar; head -c 5M /dev/zero) | " CKPT_LEASE_PROGRAM
          " show - >/dev/null'");
}

TEST_F(Subjects, AnArchiveIsNotReadAndWrittenAtOnce) {
    const std::string before = read_file("job.tar.gz");
    shell(CKPT_LEASE_PROGRAM " policy --set 7 - <job.tar.gz >>job.tar.gz 2>err; test $? = 2");
    EXPECT_TRUE(read_file("job.tar.gz") == before);
}

TEST_F(Subjects, AnInterruptedChangeIsNotReadThroughAPipe) {
    const double before = remaining_of("job.tar");
    EXPECT_EQ(run({"policy", "--set", "7", "--undo-file", "undo", "job.tar"}).status, 0);
    // As if it had been stopped before the journal was removed.
    io::System& system = io::posix_system();
    ckpt_lease::Journal journal = ckpt_lease::read_undo_file(system, "undo");
    journal.purpose = ckpt_lease::Journal::Purpose::rollback;
    io::File file(system, "job.tar.ckpt-lease-journal", O_WRONLY | O_CREAT, mode_t{0600});
    write_journal(journal, journal.edits, file);
    for (const char* const options : {" --add 1 -", " --add 1 -n -"}) {
        shell(CKPT_LEASE_PROGRAM " policy" + std::string(options) +
              " <job.tar >out 2>err; test $? = 2");
        EXPECT_EQ(read_file("out"), "");
        EXPECT_EQ(read_file("err"),
                  "ckpt-lease: a change to this image was interrupted: it cannot be rewritten as a "
                  "stream (run 'ckpt-lease recover' on it first, or give its name)\n");
    }
    EXPECT_EQ(remaining_of("job.tar"), before);
    EXPECT_EQ(run({"recover", "job.tar"}).status, 0);
    EXPECT_EQ(remaining_of("job.tar"), before);
}

TEST_F(Subjects, NoOutputTakesTheNameOfAJournal) {
    const Result result =
        run({"policy", "--set", "7", "-o", "job.tar.ckpt-lease-journal", "job.tar"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(result.err,
              "ckpt-lease: job.tar.ckpt-lease-journal: journals of interrupted changes are called "
              "so (give the file another name)\n");
    EXPECT_EQ(run({"show", "job.tar"}).status, 0);
}

TEST_F(Subjects, TasksAreKnownInAnArchiveThroughAPipe) {
    EXPECT_EQ(
        run({"policy", "--set", "7", "--comm", "*", "--require-match", "-"}, read_file("job.tar"))
            .status,
        0);
}

TEST_F(Subjects, AFolderIsCopiedAndNotWrittenElsewhere) {
    fs::create_hard_link("img/ckpt-lease.img", "other");
    EXPECT_EQ(
        run({"policy", "--set", "7", "img"}).err,
        "ckpt-lease: img/ckpt-lease.img: the file has several names (hard links): others, "
        "perhaps a backup, would change too, and not see the journal of an interrupted change "
        "(copy the folder, and give the copy)\n");
}

// What its leases cost, and not what the archive is large.
TEST_F(Subjects, AnArchiveThatIsNotCompressedIsChangedInPlace) {
    struct stat before {};
    struct stat after {};
    const std::string old_bytes = read_file("job.tar");
    ASSERT_EQ(stat("job.tar", &before), 0);
    EXPECT_EQ(run({"policy", "--set", "7", "--undo-file", "undo", "job.tar"}).status, 0);
    ASSERT_EQ(stat("job.tar", &after), 0);
    EXPECT_EQ(after.st_ino, before.st_ino);
    const std::string new_bytes = read_file("job.tar");
    ASSERT_EQ(new_bytes.size(), old_bytes.size());
    std::size_t different = 0;
    for (std::size_t i = 0; i < new_bytes.size(); ++i) {
        different += new_bytes[i] == old_bytes[i] ? 0 : 1;
    }
    EXPECT_GT(different, 0U);
    EXPECT_LE(different, 8U);
    EXPECT_FALSE(fs::exists("job.tar.ckpt-lease-journal"));
    shell("mkdir new && tar -C new -xf job.tar");
    EXPECT_EQ(remaining_of("new/img"), 7);
    EXPECT_EQ(run({"undo", "undo"}).status, 0);
    EXPECT_TRUE(read_file("job.tar") == old_bytes);
}

TEST_F(Subjects, AFolderIsNotWrittenIntoOneFile) {
    const std::string before = read_file("img/ckpt-lease.img");
    for (const char* const out : {"out", "-", "img2"}) {
        const Result result = run({"policy", "--set", "7", "-o", out, "img"});
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.out, "");
        EXPECT_EQ(result.err,
                  "ckpt-lease: img: a checkpoint in a folder can only be rewritten as it is (copy "
                  "the folder, and give the copy)\n");
        EXPECT_FALSE(fs::exists(out));
    }
    EXPECT_EQ(run({"policy", "--set", "7", "-o", "out", "bare"}).status, 2);
    EXPECT_EQ(read_file("img/ckpt-lease.img"), before);
}

TEST_F(Subjects, RulesCanFavorWhereNoTimesAreKnown) {
    write_file("rules.json", R"({"rules": [{"match": {"fd": 3}, "policy": {"favor-breaker": true}}],
                                 "default": {"favor-holder": true}})");
    const Result result = run({"policy", "--rules", "rules.json", "--json", "bare"});
    EXPECT_EQ(result.status, 0) << result.err;
    const Json json = parse_valid("policy", result.out);
    EXPECT_EQ(json["images"][0]["changed"], 1);
    EXPECT_EQ(json["images"][0]["unchanged"], 1);
    write_file("rules.json", R"({"rules": [{"policy": {"add": 5}}]})");
    EXPECT_EQ(run({"policy", "--rules", "rules.json", "bare"}).status, 2);
}

TEST_F(Subjects, WhatIsWrongWithOneIsSaidAmongOthers) {
    shell("mkdir empty");
    const Result result = run({"show", "--json", "empty", kImage, "missing"});
    EXPECT_EQ(result.status, 3);
    const Json json = parse_valid("show", result.out);
    ASSERT_EQ(json["images"].size(), 3U);
    EXPECT_EQ(json["images"][0]["path"], "empty");
    EXPECT_TRUE(json["images"][0].contains("error"));
    EXPECT_FALSE(json["images"][1].contains("error"));
    EXPECT_EQ(json["images"][2]["path"], "missing");
}

}  // namespace
}  // namespace e2e
