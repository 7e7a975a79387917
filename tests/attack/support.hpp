// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "program.hpp"
#include "rewrite/journal.hpp"
#include "snapshot.hpp"

/// Root at work in the folder of somebody else, who does what he can while root is.
namespace attack {

/// The attacker. Nobody of this number need exist.
inline constexpr uid_t kAlice = 12345;

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& bytes);
std::string image_bytes(const std::string& name);
void shell(const std::string& command);

/// What alice can do: each is done by a process of hers.
namespace alice {

/// Returns whether `deed` returned true, and did not throw.
bool does(const std::function<bool()>& deed);
void writes(const std::string& path, const std::string& bytes);
void links(const std::string& target, const std::string& link);
/// Returns false if the kernel does not let her.
bool hard_links(const std::string& file, const std::string& name);
void makes_fifo(const std::string& path);
void makes_folder(const std::string& path);

/// Does `first`, which must return true, and then `deed` again and again, until it is destroyed.
class Loop {
 public:
    Loop(const std::function<bool()>& first, const std::function<void()>& deed);
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop();

 private:
    pid_t pid_ = -1;
};

/// Exchanges two names in a loop.
class Exchange : public Loop {
 public:
    Exchange(const std::string& a, const std::string& b);
};

/// Holds a lock on a file (F_OFD_SETLK, for writing if she may) until it is destroyed.
class Lock : public Loop {
 public:
    explicit Lock(const std::string& path);
};

/// Holds a lease on a file, and keeps it, whoever wants to open it.
class Lease : public Loop {
 public:
    explicit Lease(const std::string& path);
};

}  // namespace alice

/// fs.protected_symlinks, _hardlinks, _regular and _fifos (proc_sys_fs(5)): all or none of them,
/// until it is destroyed. What they were before is also put back when the tests crash: see main().
class Protections {
 public:
    explicit Protections(bool on);
    Protections(const Protections&) = delete;
    Protections& operator=(const Protections&) = delete;
    ~Protections();

    static std::vector<std::string> read();
    static void write(const std::vector<std::string>& values);

 private:
    std::vector<std::string> before_;
};

/// The folder admin, which belongs to root and has one of everything that ckpt-lease works on, and
/// the folder alice, which belongs to her. The working directory is where both are. After each test
/// all is as it was in root's.
class Attack : public ::testing::Test {
 protected:
    Attack();
    ~Attack() override;
    void TearDown() override;

    /// Root's folder is meant to be as it is now.
    void remember() { before_ = snapshot("admin"); }

 private:
    std::filesystem::path folder_;
    std::filesystem::path was_in_;
    Snapshot before_;
};

/// An undo file or journal that puts `bytes` at the start of `image`, and is as it should be: of a
/// beginning of length 0 everybody knows the checksum.
std::string journal_for(const std::string& image, ckpt_lease::Journal::Purpose purpose,
                        const std::string& bytes);

}  // namespace attack
