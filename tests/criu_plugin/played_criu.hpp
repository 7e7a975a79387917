// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

/// CRIU, as a plugin sees it: loads the plugin, and calls its hooks in CRIU's order. CRIU's
/// functions that a plugin can call are this program's.
namespace played_criu {

/// A process that holds a write lease, or none, on a file of its own; it has a child if
/// `has_child`. This process traces both, stopped, as CRIU does.
class Tasks {
 public:
    /// `locks`: how many record locks of one byte there are on the file as well.
    explicit Tasks(bool has_lease, bool has_child = false, int locks = 0);
    Tasks(const Tasks&) = delete;
    Tasks& operator=(const Tasks&) = delete;
    ~Tasks();
    [[nodiscard]] pid_t root() const { return root_; }
    [[nodiscard]] pid_t child() const { return child_; }

 private:
    pid_t root_ = -1;
    pid_t child_ = 0;
};

/// The plugin from when CRIU loads it to when CRIU has called exit(). What CRIU calls fails the
/// test if the plugin answers what would be heeded.
class Loaded {
 public:
    enum Stage { dump, pre_dump, restore };

    /// `folder`: where CRIU's images are.
    explicit Loaded(Stage stage, const std::string& folder = "img");
    Loaded(const Loaded&) = delete;
    Loaded& operator=(const Loaded&) = delete;
    ~Loaded();

    [[nodiscard]] bool is_refused() const { return is_refused_; }
    [[nodiscard]] unsigned hooks() const;
    void checkpoint_devices(pid_t task) const;
    void resume_devices_late(pid_t task) const;
    void exit(int ret) const;

 private:
    Stage stage_;
    void* library_ = nullptr;
    bool is_refused_ = false;
};

/// A folder of its own that a test works in, with CRIU's image folder "img". At its end, the
/// environment variables that are named are unset.
class OwnFolder {
 public:
    explicit OwnFolder(std::initializer_list<const char*> variables);
    OwnFolder(const OwnFolder&) = delete;
    OwnFolder& operator=(const OwnFolder&) = delete;
    ~OwnFolder();

 private:
    std::filesystem::path before_;
    std::filesystem::path folder_;
    std::vector<const char*> variables_;
};

/// Makes "hook", the program that the tested plugin starts.
void make_hook(const std::string& script);

/// A dump of these tasks, from the beginning to the end.
void dump(const Tasks& tasks, int ret = 0);

/// CRIU's log, and its descriptor of the image folder.
std::string log();
int image_folder();

/// What inventory.img says, since the last dump, of the plugins that a restore needs: those that
/// are still there after a restore has loaded its plugins make CRIU fail.
std::vector<std::string> required_plugins();

}  // namespace played_criu
