// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/no_checkpoint.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "io/system.hpp"
#include "support.hpp"

namespace ckpt_lease::criu {
namespace {

namespace fs = std::filesystem;
using Kind = NoCheckpoint::Kind;

std::string said_of(const std::optional<NoCheckpoint>& found) {
    return found ? to_string(found->problem) : "nothing";
}

std::string said_of(const std::vector<std::string>& names) {
    return said_of(why_no_checkpoint("f", names));
}

TEST(NoCheckpoint, ACheckpointAndOtherFoldersAreNotSpokenOf) {
    EXPECT_EQ(said_of(std::vector<std::string>{}), "nothing");
    EXPECT_EQ(said_of({"a.img", "files", "image.img"}), "nothing");
    EXPECT_EQ(said_of({"inventory.img", "pstree.img", "core-7.img"}), "nothing");
    EXPECT_EQ(said_of({"checkpoint/inventory.img", "checkpoint/pstree.img", "config.dump"}),
              "nothing");
    EXPECT_EQ(said_of({"inventory.img", "core-7.img"}), "nothing")
        << "whoever reads it says which image is missing";
}

TEST(NoCheckpoint, ADumpThatWasNotFinished) {
    const std::string message =
        "f: this dump was not finished: there is no inventory.img, which CRIU writes last (";
    EXPECT_EQ(said_of({"core-7.img", "pagemap-7.img", "dump.log"}), message + "dump.log says why)");
    EXPECT_EQ(said_of({"checkpoint/core-7.img", "dump.log"}), message + "dump.log says why)");
    EXPECT_EQ(said_of({"core-7.img"}), message + "the log of that run of CRIU says why)");
}

TEST(NoCheckpoint, APreDump) {
    EXPECT_EQ(said_of({"pagemap-7.img", "pages-1.img", "inventory.img", "stats-dump"}),
              "f: this is a pre-dump of CRIU: there are pages of memory, and no locks (give the "
              "folder of the dump that followed)");
    EXPECT_EQ(said_of({"pagemap-7.img", "pages-1.img"}),
              "f: there are only pages of memory: this is a pre-dump of CRIU, or a dump that was "
              "not finished (give the folder of the dump that followed)");
}

// LXD has them in state/, Docker in checkpoints/NAME/.
TEST(NoCheckpoint, ACheckpointInAFolderBelow) {
    for (const std::string below : {"state", "checkpoints/first"}) {
        const auto found = why_no_checkpoint(
            "f", {"backup.yaml", below + "/inventory.img", below + "/pstree.img"});
        ASSERT_TRUE(found);
        EXPECT_EQ(found->kind, Kind::below);
        EXPECT_EQ(said_of(found), "f: this is no checkpoint of CRIU, but there is one in " + below +
                                      " (give that folder)");
    }
}

TEST(NoCheckpoint, AFolderOfSeveral) {
    std::vector<std::string> names;
    for (const std::string folder : {"b", "a", "a/pre"}) {
        names.push_back(folder + "/inventory.img");
        if (folder != "a/pre") {
            names.push_back(folder + "/pstree.img");
        }
    }
    EXPECT_EQ(said_of(names), "f: this is a folder of 2 checkpoints: a, b (give one of them)")
        << "and no pre-dump";
    for (int i = 0; i < 10; ++i) {
        const std::string folder = "x" + std::to_string(i);
        names.push_back(folder + "/inventory.img");
        names.push_back(folder + "/pstree.img");
    }
    EXPECT_EQ(said_of(names),
              "f: this is a folder of 12 checkpoints: a, b, x0, x1, x2, 7 more (give one of them)");
}

// What podman and containerd make of a checkpoint for a registry.
class OciImages : public testing::Test {
 protected:
    std::optional<NoCheckpoint> why() const {
        return why_no_checkpoint(
            "f", {"oci-layout", "index.json", "blobs/sha256/1"}, [&](const std::string& path) {
                const auto found = files_.find(path);
                return found == files_.end() ? std::nullopt : std::optional(found->second);
            });
    }
    static constexpr const char* kHint =
        " (its layers, below blobs/, are archives: a checkpoint is one of them)";
    std::map<std::string, std::string> files_;
};

TEST_F(OciImages, TheLayersOfTheManifestAreNamed) {
    files_["index.json"] =
        R"({"manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json",
                           "digest": "sha256:1a"}]})";
    files_["blobs/sha256/1a"] =
        R"({"config": {"digest": "sha256:2b"}, "layers": [{"digest": "sha256:3c"}]})";
    EXPECT_EQ(said_of(why()), std::string("f: this is an OCI image: if there is a checkpoint in "
                                          "it, it is in blobs/sha256/3c") +
                                  kHint);
}

TEST_F(OciImages, ContainerdSaysWhichOneItIs) {
    files_["index.json"] =
        R"({"manifests": [{"mediaType": "application/vnd.containerd.container.criu.checkpoint.criu.tar",
                           "digest": "sha256:4d"}, {"digest": "sha256:1a"}]})";
    files_["blobs/sha256/1a"] = R"({"layers": [{"digest": "sha256:3c"}]})";
    EXPECT_EQ(said_of(why()),
              std::string("f: this is an OCI image: if there is a checkpoint in it, it is in "
                          "blobs/sha256/4d") +
                  kHint);
}

TEST_F(OciImages, NothingInThemIsBelieved) {
    const std::string plain =
        "f: this is an OCI image, and no checkpoint of CRIU (if there is one in it, it is one of "
        "its layers, which are archives below blobs/)";
    EXPECT_EQ(said_of(why()), plain);
    for (const char* const text :
         {"", "{", "[]", R"({"manifests": 5})", R"({"manifests": [5, null, {"digest": 1}]})",
          R"({"manifests": [{"digest": "sha256:../../../etc/passwd"}, {"digest": ":"}]})",
          R"({"manifests": [{"mediaType": 7, "digest": "sha256:1a"}]})"}) {
        files_["index.json"] = text;
        files_["blobs/sha256/1a"] = R"({"layers": [{"digest": "a:b:c"}, {"digest": "a/b"}]})";
        EXPECT_EQ(said_of(why()), plain) << text;
    }
}

TEST_F(OciImages, WithoutLayersThereIsNothingToTry) {
    files_["index.json"] = R"({"manifests": [{"digest": "sha256:1a"}]})";
    files_["blobs/sha256/1a"] = R"({"layers": []})";
    EXPECT_EQ(said_of(why()), "f: this is an OCI image without layers, and no checkpoint of CRIU");
}

class Folders : public testing::Test {
 protected:
    Folders() {
        std::string name = (fs::temp_directory_path() / "no-checkpoint-XXXXXX").string();
        folder_ = mkdtemp(name.data());
    }
    Folders(const Folders&) = delete;
    Folders& operator=(const Folders&) = delete;
    ~Folders() override { fs::remove_all(folder_); }

    void write(const std::string& name, const std::string& bytes = "") const {
        fs::create_directories((folder_ / name).parent_path());
        std::ofstream(folder_ / name) << bytes;
    }
    std::string said() const {
        const io::Place place = io::find_place(io::posix_system(), folder_.string(), "open");
        std::string text = said_of(why_no_checkpoint(*place.open_folder()));
        return text.substr(text.rfind("no-checkpoint-", 0) == 0 ? 0 : text.find(": ") + 2);
    }
    std::optional<NoCheckpoint> why_file(const std::string& name) const {
        return why_no_checkpoint(io::File(io::posix_system(), (folder_ / name).string(), O_RDONLY));
    }
    fs::path folder_;
};

TEST_F(Folders, AreLookedIntoTwoLevelsDeep) {
    write("checkpoints/first/inventory.img");
    write("checkpoints/first/pstree.img");
    EXPECT_EQ(said(),
              "this is no checkpoint of CRIU, but there is one in checkpoints/first (give that "
              "folder)");
}

TEST_F(Folders, LinksAreNotFollowed) {
    write("deep/a/b/c/inventory.img");
    write("deep/a/b/c/pstree.img");
    fs::create_symlink("deep/a/b/c", folder_ / "link");
    EXPECT_EQ(why_no_checkpoint(
                  *io::find_place(io::posix_system(), folder_.string(), "open").open_folder())
                  .has_value(),
              false);
}

TEST_F(Folders, AnOciLayout) {
    write("oci-layout", "{}");
    write("index.json", R"({"manifests": [{"digest": "sha256:1a"}]})");
    write("blobs/sha256/1a", R"({"layers": [{"digest": "sha256:3c"}]})");
    EXPECT_EQ(said(),
              "this is an OCI image: if there is a checkpoint in it, it is in blobs/sha256/3c (its "
              "layers, below blobs/, are archives: a checkpoint is one of them)");
}

TEST_F(Folders, ThatCannotBeReadAreNotSaidToBeEmpty) {
    write("inventory.img");
    write("pstree.img");
    for (const fs::perms perms :
         {fs::perms::none, fs::perms::others_read | fs::perms::owner_read}) {
        fs::permissions(folder_, perms);
        if (getuid() == 0) {
            ASSERT_EQ(seteuid(65534), 0);
        }
        EXPECT_EQ(said(), "this folder cannot be read: Permission denied");
        if (getuid() == 0) {
            ASSERT_EQ(seteuid(0), 0);
        }
    }
    fs::permissions(folder_, fs::perms::owner_all);
}

TEST_F(Folders, AnInventoryThatIsNoFile) {
    fs::create_directories(folder_ / "inventory.img");
    const auto found = why_no_checkpoint(
        *io::find_place(io::posix_system(), folder_.string(), "open").open_folder());
    ASSERT_TRUE(found);
    EXPECT_EQ(said_of(found), (folder_ / "inventory.img").string() + ": this is no regular file");
}

TEST_F(Folders, OpeningOneSaysWhatItIs) {
    write("core-7.img");
    write("dump.log");
    const std::string said = damage([&] { static_cast<void>(checkpoint_at(folder_.string())); });
    EXPECT_NE(said.find("this dump was not finished: "), std::string::npos) << said;
}

TEST_F(Folders, ASingleImageIsKnownByItsFirstBytes) {
    write("core-7.img", core("holder"));
    write("inventory.img", small_checkpoint()["inventory.img"]);
    write("stats-dump", bytes_of("40 59 10 55"));
    for (const std::string image : {"core-7.img", "inventory.img", "stats-dump"}) {
        const auto found = why_file(image);
        ASSERT_TRUE(found) << image;
        EXPECT_EQ(found->problem.message,
                  "this is a single image of CRIU's, and a checkpoint has many");
        EXPECT_EQ(found->problem.hint, "give the folder that it is in");
    }
    write("short", "abc");
    write("other", "something else");
    EXPECT_FALSE(why_file("short"));
    EXPECT_FALSE(why_file("other"));
    EXPECT_FALSE(why_no_checkpoint(
        io::File(io::posix_system(), std::string(TEST_IMAGES) + "/no_leases.img", O_RDONLY)));
}

}  // namespace
}  // namespace ckpt_lease::criu
