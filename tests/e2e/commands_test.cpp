// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>

#include "support.hpp"

namespace e2e {
namespace {

class Edit : public Test {};
class Verify : public Test {};
class Records : public Test {};
class Diff : public Test {};
class Layouts : public Test {};

TEST_F(Edit, WritesTheFieldsOfOneRecord) {
    struct {
        std::vector<std::string> options;
        std::vector<std::array<std::size_t, 3>> fields;  // offset in the record, width, value
    } const cases[] = {
        {{"--remaining", "30"}, {{kRemLease, 4, 30}, {kRemLeaseNsec, 4, 0}}},
        {{"--remaining", "1ns"}, {{kRemLease, 4, 0}, {kRemLeaseNsec, 4, 1}}},
        {{"--remaining", "none"}, {{kRemLease, 4, 0xffffffff}, {kRemLeaseNsec, 4, 0}}},
        {{"--notified", "no"}, {{kNotified, 1, 0}}},
        {{"--type", "F_RDLCK"}, {{kType, 1, 16 + 0}}},
        {{"--previous-type", "F_RDLCK"}, {{kTypePrev, 1, 0}}},
    };
    for (const std::string image : {"holder_breaker", "holder_breaker_s390x"}) {
        const auto offset = image_truth(image).at(0).at("offset").get<std::size_t>();
        for (const auto& c : cases) {
            SCOPED_TRACE(image + " " + c.options.at(0) + " " + c.options.at(1));
            std::string wanted = image_bytes(image);
            for (const auto& [at, width, value] : c.fields) {
                put(wanted, offset + at, width, value, is_big_endian(image));
            }
            const std::string name = copy(image);
            const Result result =
                run({"edit", name, "--index", "0", c.options.at(0), c.options.at(1)});
            EXPECT_EQ(result.status, 0) << result.err;
            EXPECT_EQ(read_file(name), wanted);
        }
    }
}

TEST_F(Edit, MendsAValueThatMeansTheSameAlready) {
    std::string bytes = image_bytes("holder_breaker");
    put(bytes, 1157 + kNotified, 1, 2, false);
    write_file("odd.img", bytes);
    EXPECT_EQ(run({"verify", "odd.img"}).status, 1);
    const Result result = run({"edit", "odd.img", "--index", "0", "--notified", "yes"});
    EXPECT_EQ(result.status, 0);
    EXPECT_NE(result.err.find("\n  now breaking, "), std::string::npos) << result.err;
    EXPECT_EQ(read_file("odd.img"), image_bytes("holder_breaker"));
}

TEST_F(Edit, ReportsBeforeAndAfter) {
    const Result result = run({"edit", copy("holder_breaker"), "--index", "0", "--remaining", "30",
                               "--notified", "no", "--dry-run"});
    EXPECT_EQ(result.err,
              "holder_breaker.img: lock 0, fd 3, /srv/data/ledger.db, dry run: nothing is written\n"
              "  was breaking, F_WRLCK to F_UNLCK, 5.25s left, notified\n"
              "  now breaking, F_WRLCK to F_UNLCK, 30s left, not notified\n");
    EXPECT_EQ(read_file("holder_breaker.img"), image_bytes("holder_breaker"));
    const Json report = parse_valid(
        "edit",
        run({"edit", "holder_breaker.img", "--index", "1", "--type", "F_WRLCK", "--json"}).out);
    EXPECT_EQ(report.at("images").at(0).at("leases").at(0).at("after").at("type"), "F_WRLCK");
    EXPECT_EQ(report.at("images").at(0).at("changed"), 1);
}

TEST_F(Edit, RefusesWhatARestartWouldRefuseUnlessForced) {
    struct {
        std::vector<std::string> options;
        const char* message;
    } const cases[] = {
        {{"--index", "0", "--type", "F_WRLCK"},
         "offset 1157: lock 0: the lease is being broken to F_WRLCK: it can only become F_UNLCK or "
         "F_RDLCK (a restart refuses that; --force writes it all the same)"},
        {{"--index", "0", "--previous-type", "F_UNLCK"},
         "offset 1157: lock 0: the lease is being broken, and fl_type_prev is F_UNLCK: a restart "
         "needs the type it had, F_RDLCK or F_WRLCK (a restart refuses that; --force writes it all "
         "the same)"},
        {{"--index", "1", "--type", "F_UNLCK"},
         "offset 1326: lock 1: fl_type is F_UNLCK: a lock that is held is F_RDLCK or F_WRLCK (a "
         "restart refuses that; --force writes it all the same)"},
    };
    for (const auto& c : cases) {
        const std::string name = copy("holder_breaker");
        std::vector<std::string> args{"edit", name};
        args.insert(args.end(), c.options.begin(), c.options.end());
        const Result refused = run(args);
        EXPECT_EQ(refused.status, 2);
        EXPECT_EQ(refused.err, std::string("ckpt-lease: holder_breaker.img: ") + c.message + "\n");
        EXPECT_EQ(read_file(name), image_bytes("holder_breaker"));
        args.push_back("--force");
        EXPECT_EQ(run(args).status, 0);
        EXPECT_NE(read_file(name), image_bytes("holder_breaker"));
    }
}

TEST_F(Edit, RefusesWhatMakesNoSense) {
    struct {
        std::vector<std::string> options;
        const char* message;
    } const cases[] = {
        {{"--index", "0"},
         "nothing is to be changed (give --remaining, --notified, --type or --previous-type)"},
        {{"--index", "7", "--remaining", "1"},
         "holder_breaker.img: there is no lock 7: the image has 3 ('ckpt-lease show --all' lists "
         "them)"},
        {{"--index", "2", "--remaining", "1"},
         "holder_breaker.img: offset 16821: lock 2: this is a lock of kind posix (only leases can "
         "be edited)"},
        {{"--index", "1", "--remaining", "1"},
         "holder_breaker.img: offset 1326: lock 1: the lease is held: it has a type and nothing "
         "else (only a lease that is being broken has time left, a previous type and a holder to "
         "notify)"},
        {{"--index", "0", "--remaining=-1"}, "--remaining -1: 0 is the least"},
        {{"--index", "0", "--remaining", "3000000000"},
         "holder_breaker.img: offset 1157: lock 0: fl_rem_lease is 3000000000: a restart takes at "
         "most 2147483647 s (a restart refuses that; --force writes it all the same)"},
        {{"--index", "0", "--remaining", "4294967295", "--force"},
         "holder_breaker.img: offset 1157: lock 0: 4294967293 s is the most that the record can "
         "hold (--remaining none is for no deadline)"},
        {{"--index", "x", "--remaining", "1"},
         "--index x: give a whole number from 0 to 9223372036854775807"},
        {{"--index", "0", "--notified", "perhaps"}, "--notified perhaps: give yes or no"},
        {{"--index", "0", "--type", "F_EX"},
         "--type F_EX: no such type (give F_RDLCK, F_WRLCK or F_UNLCK)"},
    };
    for (const auto& c : cases) {
        const std::string name = copy("holder_breaker");
        std::vector<std::string> args{"edit", name};
        args.insert(args.end(), c.options.begin(), c.options.end());
        const Result result = run(args);
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.err, std::string("ckpt-lease: ") + c.message + "\n");
        EXPECT_EQ(read_file(name), image_bytes("holder_breaker"));
    }
}

TEST_F(Edit, KeepsTheRecordsOfALeaseTogether) {
    const std::string name = copy("shared_tables");
    const Result refused = run({"edit", name, "--index", "3", "--remaining", "1"});
    EXPECT_EQ(refused.status, 2);
    EXPECT_EQ(refused.err,
              "ckpt-lease: shared_tables.img: offset 1079: lock 3: locks 1 and 3 are one lease, "
              "held through two descriptors, and must keep the same values (edit both with "
              "--whole-lease, or one with --force)\n");
    EXPECT_EQ(read_file(name), image_bytes("shared_tables"));
    EXPECT_EQ(run({"edit", name, "--index", "3", "--remaining", "1", "--whole-lease"}).status, 0);
    std::string wanted = image_bytes("shared_tables");
    put(wanted, 959 + kRemLease, 4, 1, false);
    put(wanted, 1079 + kRemLease, 4, 1, false);
    EXPECT_EQ(read_file(name), wanted);
}

TEST_F(Verify, FindsTheExampleImagesSound) {
    for (const std::string& image : good_images()) {
        const Result result = run({"verify", copy(image)});
        EXPECT_EQ(result.status, 0) << result.out;
        EXPECT_TRUE(result.out.find(": sound, ") != std::string::npos) << result.out;
        EXPECT_EQ(parse_valid("verify", run({"verify", "--json", image + ".img"}).out)
                      .at("images")
                      .at(0)
                      .at("sound"),
                  true);
    }
}

TEST_F(Verify, FindsAllProblemsAndNotOnlyTheFirst) {
    std::string bytes = image_bytes("shared_tables");
    put(bytes, 798 + kTypePrev, 1, 2, false);
    put(bytes, 959 + kRemLeaseNsec, 4, 1'000'000'000, false);
    put(bytes, 999 + 8, 8, 30, false);  // fl_start of the POSIX lock, behind its fl_end
    put(bytes, 1079 + 39, 1, 1, false);
    write_file("bad.img", bytes + "xyz");
    const Result result = run({"verify", "bad.img"});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(
        result.out,
        "bad.img: offset 798: lock 0: the lease is being broken, and fl_type_prev is F_UNLCK: a "
        "restart needs the type it had, F_RDLCK or F_WRLCK (ckpt-lease edit can mend a lease)\n"
        "bad.img: offset 959: lock 1: fl_rem_lease_nsec is 1000000000: 999999999 is the most "
        "(ckpt-lease edit can mend a lease)\n"
        "bad.img: offset 999: lock 2: bytes 30 to 20 are no range: 0 <= fl_start <= fl_end "
        "(ckpt-lease mends leases only; take the checkpoint again)\n"
        "bad.img: offset 1079: lock 3: the padding is not 0 (no command changes padding; take "
        "the checkpoint again)\n"
        "bad.img: offset 1079: lock 3: locks 1 and 3 are one lease, held through two descriptors, "
        "and do not have the same values (ckpt-lease policy --set, or edit --whole-lease, makes "
        "them agree)\n"
        "bad.img: offset 18982: lock 4: locks 0 and 4 are one lease, held through two descriptors, "
        "and do not have the same values (ckpt-lease policy --set, or edit --whole-lease, makes "
        "them agree)\n"
        "warning: bad.img: offset 21658: TAIL: 3 bytes follow the end of the image (they are kept "
        "as they are, and a restart does not read them)\n");
    const Json image =
        parse_valid("verify", run({"verify", "--json", "bad.img"}).out).at("images").at(0);
    EXPECT_EQ(image.at("problems").size(), 7U);
    EXPECT_EQ(image.at("sound"), false);
}

TEST_F(Verify, ReportsAFileThatCannotBeRead) {
    const Result result = run({"verify", "--json", "missing.img", copy("no_leases")});
    EXPECT_EQ(result.status, 3);
    const Json images = parse_valid("verify", result.out).at("images");
    EXPECT_EQ(images.at(0).at("error"), "missing.img: cannot open: No such file or directory");
    EXPECT_EQ(images.at(1).at("sound"), true);
}

TEST_F(Records, ListsEveryByteOfEveryImage) {
    for (const std::string& image : good_images()) {
        const Json listed =
            parse_valid("records", run({"records", "--json", copy(image)}).out).at("records");
        std::size_t next = 0;
        for (const Json& record : listed) {
            EXPECT_EQ(record.at("offset"), next);
            next += record.at("length").get<std::size_t>();
        }
        EXPECT_EQ(next, image_bytes(image).size());
        EXPECT_EQ(listed.back().at("name"), "TAIL");
    }
}

TEST_F(Records, DecodesWhatIsKnown) {
    const std::string out = run({"records", copy("holder_breaker")}).out;
    for (const char* const line : {
             "       291  HEADER_ARCH            16\n",
             "       547  STRING                 24  \"holder\"\n",
             "       571  OBJREF                 16  objtype=FILE_TABLE  objref=3\n",
             "      1089  FILE_NAME              28  \"/srv/data/ledger.db\"\n",
             "      1117  FILE_DESC              24  fd_objref=6  fd_descriptor=3  "
             "fd_close_on_exec=0\n",
             "      1141  FILE_LOCKS             16  nr_locks=1\n",
             "      1157  FILE_LOCK              40  fl_start=0  fl_end=to the end  "
             "fl_rem_lease=5  fl_rem_lease_nsec=250000000  fl_flags=FL_LEASE  "
             "fl_type=F_UNLCK|F_INPROGRESS  fl_type_prev=F_WRLCK  fl_break_notified=1\n",
             "     23706  TAIL                   16  magic=0x2d2a0cc0deef00\n",
         }) {
        EXPECT_NE(out.find(line), std::string::npos) << line << "\n" << out;
    }
}

TEST_F(Records, ListsWhatStandsBeforeTheDamage) {
    const Result result = run({"records", copy("bad_checkpoint_failed")});
    EXPECT_NE(result.out.find("STRING"), std::string::npos);
    EXPECT_NE(result.out.find("\"[err -16][pos 700]"), std::string::npos);
    EXPECT_EQ(run({"records", copy("bad_truncated")}).status, 1);
}

TEST_F(Diff, SaysNothingOfImagesThatAreTheSame) {
    const Result result = run({"diff", copy("holder_breaker"), copy("holder_breaker_v22")});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, "");
}

TEST_F(Diff, ShowsWhatAPolicyChanged) {
    const std::string name = copy("holder_breaker");
    run({"policy", "--set", "9", "--renotify", "-o", "new.img", name});
    const Result result = run({"diff", name, "new.img"});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(
        result.out,
        "--- holder_breaker.img\n"
        "+++ new.img\n"
        "   IDX  FD  HOLDER    PATH                 LEASE\n"
        "-    0   3  1 holder  /srv/data/ledger.db  breaking, F_WRLCK to F_UNLCK, 5.25s left, "
        "notified\n"
        "+    0   3  1 holder  /srv/data/ledger.db  breaking, F_WRLCK to F_UNLCK, 9s left, not "
        "notified\n");
    const Json report = parse_valid("diff", run({"diff", "--json", name, "new.img"}).out);
    EXPECT_EQ(report.at("same"), false);
    EXPECT_EQ(report.at("differences").at(0).at("a").at("remaining_seconds"), 5.25);
    EXPECT_EQ(report.at("differences").at(0).at("b").at("remaining_seconds"), 9);
}

TEST_F(Diff, ShowsLeasesThatOnlyOneImageHas) {
    const Json report =
        parse_valid("diff", run({"diff", "--json", copy("holder_breaker"), copy("no_leases")}).out);
    EXPECT_EQ(report.at("differences").size(), 2U);
    EXPECT_EQ(report.at("differences").at(0).at("b"), nullptr);
}

TEST_F(Diff, HasTheExitStatusesOfDiff) {
    const std::string name = copy("holder_breaker");
    EXPECT_EQ(run({"diff", name, name}).status, 0);
    EXPECT_EQ(run({"diff", name, copy("shared_tables")}).status, 1);
    EXPECT_EQ(run({"diff", name, "missing.img"}).status, 2);
    EXPECT_EQ(run({"diff", name, copy("bad_truncated")}).status, 2);
    EXPECT_EQ(run({"diff", name}).status, 2);
    EXPECT_EQ(run({"diff", "-", "-"}).status, 2);
}

TEST_F(Layouts, ListsAndPrintsThoseThatAreBuiltIn) {
    EXPECT_EQ(run({"layouts"})
                  .out.find("NAME     TYPE  LENGTH  LIST ENDS BY      DESCRIPTION\n"
                            "lease-1   310      40  count (type 309)  "),
              0U)
        << run({"layouts"}).out;
    const std::string printed = run({"layouts", "lease-1"}).out;
    EXPECT_EQ(printed,
              read_file(std::filesystem::path(SOURCE_ROOT) / "schemas/layouts/lease-1.json"));
    parse_valid("layout", printed);
    const Json listed = parse_valid("layouts", run({"layouts", "--json"}).out);
    EXPECT_EQ(listed.at("layouts").at(0).at("fields").size(), 8U);
}

TEST_F(Layouts, ServeImagesOfOtherKernels) {
    // Another kernel: other numbers, 32 bytes, whole seconds only, narrower fields.
    write_file("other.json", R"({
      "name": "other",
      "file_lock": {
        "type": 1310, "length": 32,
        "fields": {
          "fl_start": {"offset": 8, "type": "s64"}, "fl_end": {"offset": 16, "type": "s64"},
          "fl_type": {"offset": 24, "type": "u8"}, "fl_type_prev": {"offset": 25, "type": "u8"},
          "fl_flags": {"offset": 26, "type": "u8"}, "fl_break_notified": {"offset": 27, "type": "u8"},
          "fl_rem_lease": {"offset": 28, "type": "u16"}
        }
      },
      "list_end": {"file_locks": {"type": 1309, "length": 16, "nr_locks": {"offset": 12, "type": "u32"}}}
    })");
    std::string bytes = image_bytes("no_deadline");
    std::string image;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto number = [&](std::size_t offset) {
            std::size_t value = 0;
            for (std::size_t i = 4; i-- > 0;) {
                value = value << 8 | static_cast<unsigned char>(bytes.at(offset + i));
            }
            return value;
        };
        std::string record = bytes.substr(at, number(at + 4));
        if (number(at) == 309) {
            put(record, 0, 4, 1309, false);
            put(record, 8, 4, 0, false);
            put(record, 12, 4, 1, false);
        } else if (number(at) == 310) {
            const std::string old = record;
            record = old.substr(0, 24) + old[36] + old[37] + old[32] + old[38] +
                     std::string("\x2c\x00\x00\x00", 4);
            put(record, 0, 4, 1310, false);
            put(record, 4, 4, 32, false);
        }
        image += record;
        at += number(at + 4);
    }
    write_file("other.img", image);
    const Json shown =
        parse_valid("show", run({"show", "--json", "--layout", "./other.json", "other.img"}).out);
    EXPECT_EQ(shown.at("images").at(0).at("layout"), "other");
    EXPECT_EQ(shown.at("images").at(0).at("leases").size(), 4U);
    EXPECT_EQ(shown.at("images").at(0).at("leases").at(0).at("remaining_seconds"), 44);
    // Whole seconds are rounded up, and no second is lost or won where nothing changes.
    EXPECT_EQ(run({"policy", "--add", "100ms", "--layout", "other.json", "other.img"}).status, 0);
    const Json after =
        parse_valid("show", run({"show", "--json", "--layout", "other.json", "other.img"}).out);
    EXPECT_EQ(after.at("images").at(0).at("leases").at(0).at("remaining_seconds"), 45);
    const Result too_long =
        run({"policy", "--set", "65536", "--layout", "other.json", "other.img"});
    EXPECT_EQ(too_long.status, 2);
    EXPECT_NE(too_long.err.find("more than the 65535 s that this layout holds"), std::string::npos)
        << too_long.err;
}

TEST_F(Layouts, SayWhichOneWouldFit) {
    std::string text = run({"layouts", "lease-1"}).out;
    text.replace(text.find("\"length\": 40"), 12, "\"length\": 48");
    text.replace(text.find("\"lease-1\""), 9, "\"longer\"");
    write_file("longer.json", text);
    const Result result = run({"show", "--layout", "longer.json", copy("holder_breaker")});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.err,
              "ckpt-lease: holder_breaker.img: offset 1157: FILE_LOCK: its length is 40, and "
              "FILE_LOCK of layout longer has 48 (the layout lease-1 would fit: --layout "
              "lease-1)\n");
}

TEST_F(Layouts, NameTheMistakeInAFile) {
    std::string text = run({"layouts", "lease-1"}).out;
    text.replace(text.find("\"offset\": 28"), 12, "\"offset\": 26");
    write_file("bad.json", text);
    const Result result = run({"layouts", "bad.json"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: bad.json: line 12, column 7, /file_lock/fields/fl_rem_lease_nsec: "
              "fl_rem_lease and fl_rem_lease_nsec overlap at offset 26\n");
    const Result unknown = run({"show", "--layout", "leese-1", copy("holder_breaker")});
    EXPECT_EQ(unknown.status, 2);
    EXPECT_EQ(unknown.err,
              "ckpt-lease: there is no layout 'leese-1', nor a file of that name (built in: "
              "lease-1)\n");
}

}  // namespace
}  // namespace e2e
