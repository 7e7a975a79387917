// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/no_checkpoint.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/text.hpp"
#include "criu/image_set.hpp"

namespace ckpt_lease::criu {
namespace {

using Kind = NoCheckpoint::Kind;
using Json = nlohmann::json;

constexpr std::size_t kMostNames = 4096;  // of a folder, and of those below it
constexpr std::size_t kMostShown = 5;

// The images of which every dump has some. There are more, of fewer tasks.
bool is_image_of_criu(std::string_view name) {
    constexpr std::array<std::string_view, 10> kKinds{"core-",  "pagemap-", "pages-", "mm-",
                                                      "ids-",   "fdinfo-",  "fs-",    "files",
                                                      "pstree", "cgroup"};
    return name.ends_with(".img") && std::any_of(kKinds.begin(), kKinds.end(),
                                                 [&](auto kind) { return name.starts_with(kind); });
}

bool has_memory(std::string_view name) {
    return name.starts_with("pagemap-") || name.starts_with("pages-");
}

// What stands in one folder.
struct Contents {
    bool inventory = false;
    bool pstree = false;
    bool log = false;
    std::size_t images = 0;
    std::size_t of_memory = 0;

    void note(std::string_view name) {
        inventory |= name == kInventoryImage;
        pstree |= name == kPstreeImage;
        log |= name == "dump.log";
        images += is_image_of_criu(name) ? 1 : 0;
        of_memory += is_image_of_criu(name) && has_memory(name) ? 1 : 0;
    }
    [[nodiscard]] bool is_checkpoint() const { return inventory && pstree; }
};

NoCheckpoint made(Kind kind, const std::string& name, std::string message, std::string hint) {
    return {kind, {.file = name, .message = std::move(message), .hint = std::move(hint)}};
}

std::string list_of(const std::vector<std::string>& paths) {
    std::vector<std::string> shown;
    for (const std::string& path : paths) {
        if (shown.size() == kMostShown) {
            shown.push_back(fmt::format("{} more", paths.size() - kMostShown));
            break;
        }
        shown.push_back(escape(path));
    }
    std::string list;
    for (const std::string& each : shown) {
        list += (list.empty() ? "" : ", ") + each;
    }
    return list;
}

// The path of a blob in an OCI layout: "sha256:0123abcd", which nobody vouches for.
std::optional<std::string> blob_of(const Json& descriptor) {
    const auto digest = descriptor.is_object() ? descriptor.find("digest") : descriptor.end();
    if (!descriptor.is_object() || digest == descriptor.end() || !digest->is_string()) {
        return std::nullopt;
    }
    std::string path = digest->get<std::string>();
    const std::size_t colon = path.find(':');
    const bool is_plain = std::all_of(path.begin(), path.end(), [](char letter) {
        return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
               letter == ':';
    });
    if (!is_plain || colon == std::string::npos || colon != path.rfind(':')) {
        return std::nullopt;
    }
    path[colon] = '/';
    return "blobs/" + path;
}

// An OCI image: oci-layout, index.json, and blobs that both name.
class OciImage {
 public:
    using Read = std::function<std::optional<std::string>(const std::string&)>;

    explicit OciImage(const Read& read) : read_(read) {}

    // The layers, of which one is or has a checkpoint; just that one, where the image says so.
    std::vector<std::string> layers() {
        look_at(parsed("index.json"), "manifests");
        const std::set<std::string>& best = checkpoints_.empty() ? layers_ : checkpoints_;
        return {best.begin(), best.end()};
    }
    // After layers(): there are no others.
    [[nodiscard]] bool is_complete() const { return is_complete_; }

 private:
    [[nodiscard]] Json parsed(const std::string& path) const {
        const std::optional<std::string> text = read_ ? read_(path) : std::nullopt;
        return text ? Json::parse(*text, nullptr, false) : Json();
    }

    // containerd's index has its blobs in the place of manifests.
    void look_at(const Json& document, const char* list) {
        const auto found = document.is_object() ? document.find(list) : document.end();
        if (!document.is_object() || found == document.end() || !found->is_array()) {
            is_complete_ = false;
            return;
        }
        for (const Json& descriptor : *found) {
            const std::optional<std::string> blob = blob_of(descriptor);
            if (!blob || seen_.size() == kMostNames) {
                is_complete_ = false;
                continue;
            }
            if (!seen_.insert(*blob).second) {
                continue;
            }
            const auto type = descriptor.find("mediaType");
            const std::string media =
                type != descriptor.end() && type->is_string() ? type->get<std::string>() : "";
            if (media.find("criu.checkpoint.criu") != std::string::npos) {
                checkpoints_.insert(*blob);
            } else if (std::string_view(list) == "layers") {
                layers_.insert(*blob);
            } else if (media.find("manifest") != std::string::npos || media.empty()) {
                look_at(parsed(*blob), "layers");
            } else {
                is_complete_ = false;
            }
        }
    }

    const Read& read_;
    bool is_complete_ = true;
    std::set<std::string> seen_;
    std::set<std::string> layers_;
    std::set<std::string> checkpoints_;
};

NoCheckpoint of_oci(const std::string& name, const OciImage::Read& read) {
    OciImage image(read);
    const std::vector<std::string> layers = image.layers();
    if (!layers.empty()) {
        return made(
            Kind::other, name,
            "this is an OCI image: if there is a checkpoint in it, it is in " + list_of(layers),
            "its layers, below blobs/, are archives: a checkpoint is one of them");
    }
    if (image.is_complete()) {
        return made(Kind::other, name,
                    "this is an OCI image without layers, and no checkpoint of CRIU", "");
    }
    return made(Kind::other, name, "this is an OCI image, and no checkpoint of CRIU",
                "if there is one in it, it is one of its layers, which are archives below blobs/");
}

NoCheckpoint of_folders(const std::string& name, const std::vector<std::string>& found) {
    return found.size() == 1
               ? made(Kind::below, name,
                      "this is no checkpoint of CRIU, but there is one in " + escape(found.front()),
                      "give that folder")
               : made(Kind::below, name,
                      fmt::format("this is a folder of {} checkpoints: {}", found.size(),
                                  list_of(found)),
                      "give one of them");
}

std::optional<NoCheckpoint> of_images(const std::string& name, const Contents& contents,
                                      bool has_log) {
    if (contents.images == 0 || contents.is_checkpoint()) {
        return std::nullopt;
    }
    if (contents.images == contents.of_memory) {
        return made(Kind::other, name,
                    contents.inventory
                        ? "this is a pre-dump of CRIU: there are pages of memory, and no locks"
                        : "there are only pages of memory: this is a pre-dump of CRIU, or a dump "
                          "that was not finished",
                    "give the folder of the dump that followed");
    }
    if (contents.inventory) {
        return std::nullopt;  // an image is missing: whoever reads it says which
    }
    return made(Kind::other, name,
                fmt::format("this dump was not finished: there is no {}, which CRIU writes last",
                            kInventoryImage),
                has_log ? "dump.log says why" : "the log of that run of CRIU says why");
}

// The names in a folder and in folders below, as paths. Those that cannot be read have none.
class Names {
 public:
    explicit Names(const io::Folder& folder) : device_(folder.status().st_dev) {}

    // Returns 0, or -errno.
    int collect(const io::Folder& folder, const std::string& prefix, int levels) {
        const int fd = folder.open_file(".", O_RDONLY | O_DIRECTORY);
        if (fd < 0) {
            return fd;
        }
        const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(fd), &closedir);
        if (stream == nullptr) {
            const int error = errno;
            io::File::adopt(folder.system(), folder.path(), fd).close();
            return -error;
        }
        std::vector<std::string> below;
        const auto next = [&] {
            errno = 0;  // which alone says that it has failed
            // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread has this stream
            return readdir(stream.get());
        };
        while (const dirent* const found = next()) {
            const std::string name = std::begin(found->d_name);
            if (name == "." || name == "..") {
                continue;
            }
            if (names_.size() == kMostNames) {
                errno = 0;
                break;
            }
            names_.push_back(prefix + name);
            if (levels > 0 && (found->d_type == DT_DIR || found->d_type == DT_UNKNOWN)) {
                below.push_back(name);
            }
        }
        if (errno != 0) {
            return -errno;
        }
        for (const std::string& name : below) {
            collect_below(folder, name, prefix, levels - 1);
        }
        return 0;
    }

    [[nodiscard]] const std::vector<std::string>& all() const { return names_; }

 private:
    // What is mounted there may not answer, or be all of another machine.
    void collect_below(const io::Folder& folder, const std::string& name, const std::string& prefix,
                       int levels) {
        const std::optional<struct stat> status = folder.status_of(name);
        if (!status || !S_ISDIR(status->st_mode) || status->st_dev != device_) {
            return;
        }
        const int fd = folder.open_file(name, O_PATH | O_DIRECTORY);
        if (fd >= 0) {
            const io::Folder below(io::File::adopt(folder.system(), folder.path_of(name), fd));
            collect(below, prefix + name + "/", levels);
        }
    }

    dev_t device_;
    std::vector<std::string> names_;
};

std::optional<std::string> read_small(const io::Folder& folder, const std::string& path) {
    io::Place place;
    if (io::find_place(folder, path, place) != 0 || !place.status ||
        !S_ISREG(place.status->st_mode)) {
        return std::nullopt;
    }
    const io::File file = place.open(O_RDONLY);
    std::string bytes(kLargestIndex, '\0');
    bytes.resize(file.read_at(std::as_writable_bytes(std::span(bytes)), 0));
    return bytes;
}

std::optional<NoCheckpoint> of_inventory(const io::Folder& folder) {
    for (const std::string_view place : kPlaces) {
        const std::string path = std::string(place).append(kInventoryImage);
        io::Place found;
        if (io::find_place(folder, path, found) == 0 && found.status &&
            !S_ISREG(found.status->st_mode)) {
            return made(Kind::other, folder.path_of(path), "this is no regular file", "");
        }
    }
    return std::nullopt;
}

}  // namespace

Error NoCheckpoint::error() const {
    if (kind == Kind::unreadable) {
        return {Error::Kind::io, problem};
    }
    Problem of_checkpoint = problem;
    of_checkpoint.code = Problem::Code::not_a_checkpoint;
    return {Error::Kind::damaged, std::move(of_checkpoint)};
}

std::optional<NoCheckpoint> why_no_checkpoint(
    const std::string& name, const std::vector<std::string>& members,
    const std::function<std::optional<std::string>(const std::string&)>& read) {
    std::map<std::string, Contents> folders;
    for (const std::string& member : members) {
        const std::size_t slash = member.rfind('/') + 1;  // 0 if there is none
        folders[member.substr(0, slash)].note(std::string_view(member).substr(slash));
    }
    std::vector<std::string> found;
    for (const auto& [folder, contents] : folders) {
        const bool is_place = std::find(kPlaces.begin(), kPlaces.end(), folder) != kPlaces.end();
        if (contents.is_checkpoint() && is_place) {
            return std::nullopt;
        }
        if (contents.is_checkpoint()) {
            found.push_back(folder.substr(0, folder.size() - 1));
        }
    }
    if (!found.empty()) {
        return of_folders(name, found);
    }
    if (std::find(members.begin(), members.end(), "oci-layout") != members.end()) {
        return of_oci(name, read);
    }
    for (const std::string_view place : kPlaces) {
        // Beside the folder of the images is where podman has the log.
        const Contents& contents = folders[std::string(place)];
        if (auto result = of_images(name, contents, contents.log || folders[""].log)) {
            return result;
        }
    }
    return std::nullopt;
}

std::optional<NoCheckpoint> why_no_checkpoint(const io::Folder& folder) {
    // Who may list a folder may not be allowed to open what is in it.
    Names names(folder);
    io::Place inventory;
    int result = io::find_place(folder, std::string(kInventoryImage), inventory);
    result = result == -EACCES ? result : names.collect(folder, "", 2);
    if (result < 0) {
        return made(
            Kind::unreadable, folder.path(),
            fmt::format("this folder cannot be read: {}", std::generic_category().message(-result)),
            "");
    }
    if (auto why = of_inventory(folder)) {
        return why;
    }
    return why_no_checkpoint(folder.path(), names.all(),
                             [&](const std::string& path) { return read_small(folder, path); });
}

std::optional<NoCheckpoint> why_no_checkpoint(const io::File& file) {
    constexpr std::uint32_t kServiceMagic = 0x55105940;  // IMG_SERVICE_MAGIC of its magic.h
    std::array<std::byte, 4> begin{};
    if (file.read_at(begin, 0) < begin.size()) {
        return std::nullopt;
    }
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        const std::uint32_t magic = load_u32(begin, 0, order);
        if (magic == kCommonMagic || magic == kServiceMagic ||
            magic == static_cast<std::uint32_t>(Magic::inventory)) {
            return made(Kind::other, file.name(),
                        "this is a single image of CRIU's, and a checkpoint has many",
                        "give the folder that it is in");
        }
    }
    return std::nullopt;
}

}  // namespace ckpt_lease::criu
