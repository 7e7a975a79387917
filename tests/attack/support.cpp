// SPDX-License-Identifier: GPL-2.0-or-later
#include "support.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "io/system.hpp"

namespace attack {
namespace {

namespace fs = std::filesystem;

constexpr std::array kProtections = {"symlinks", "hardlinks", "regular", "fifos"};

std::string setting_path(const char* name) {
    return std::string("/proc/sys/fs/protected_") + name;
}

void become_alice() {
    if (setgroups(0, nullptr) != 0 || setresgid(kAlice, kAlice, kAlice) != 0 ||
        setresuid(kAlice, kAlice, kAlice) != 0) {
        _exit(100);
    }
}

// Nothing of the test's own is done in her process: it ends without destructors.
template <typename Deed>
bool succeeds(const Deed& deed) {
    try {
        return deed();
    } catch (const std::exception& error) {
        static_cast<void>(std::fprintf(stderr, "alice: %s\n", error.what()));
        return false;
    }
}

// user:alice:rw and group::r, as acl(5) has it in the attribute: version 2, then tag, permissions
// and number of each entry.
void set_access_list(const std::string& path) {
    constexpr std::array<unsigned char, 44> kList = {
        2,    0, 0, 0,                           //
        1,    0, 6, 0, 0xff, 0xff, 0xff, 0xff,   // user::rw
        2,    0, 6, 0, 0x39, 0x30, 0,    0,      // user:12345:rw
        4,    0, 4, 0, 0xff, 0xff, 0xff, 0xff,   // group::r
        0x10, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,   // mask::rw
        0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};  // other::-
    if (setxattr(path.c_str(), "system.posix_acl_access", kList.data(), kList.size(), 0) != 0) {
        throw std::runtime_error("no access control list can be set: " + path);
    }
}

}  // namespace

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw std::runtime_error("cannot read " + path.string());
    }
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const fs::path& path, const std::string& bytes) {
    std::ofstream out(path, std::ios::binary);
    out << bytes;
    if (!out.flush()) {
        throw std::runtime_error("cannot write " + path.string());
    }
}

std::string image_bytes(const std::string& name) {
    return read_file(fs::path(SOURCE_ROOT) / "tests/images" / name);
}

void shell(const std::string& command) {
    if (std::system(command.c_str()) != 0) {
        throw std::runtime_error("this failed: " + command);
    }
}

namespace alice {

bool does(const std::function<bool()>& deed) {
    const pid_t pid = fork();
    if (pid == 0) {
        become_alice();
        _exit(succeeds(deed) ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void writes(const std::string& path, const std::string& bytes) {
    ASSERT_TRUE(does([&] {
        write_file(path, bytes);
        return true;
    })) << path;
}

void links(const std::string& target, const std::string& link) {
    ASSERT_TRUE(does([&] { return symlink(target.c_str(), link.c_str()) == 0; })) << link;
}

bool hard_links(const std::string& file, const std::string& name) {
    return does([&] { return ::link(file.c_str(), name.c_str()) == 0; });
}

void makes_fifo(const std::string& path) {
    ASSERT_TRUE(does([&] { return mkfifo(path.c_str(), 0666) == 0; })) << path;
}

void makes_folder(const std::string& path) {
    ASSERT_TRUE(does([&] { return mkdir(path.c_str(), 0755) == 0; })) << path;
}

Loop::Loop(const std::function<bool()>& first, const std::function<void()>& deed) {
    std::array<int, 2> ready{};
    if (pipe2(ready.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("pipe2");
    }
    pid_ = fork();
    if (pid_ == 0) {
        become_alice();
        prctl(PR_SET_PDEATHSIG, SIGKILL);  // not even a test that crashes leaves it behind
        const bool can = succeeds(first);
        static_cast<void>(!write(ready[1], can ? "y" : "n", 1));
        while (can) {
            deed();
        }
        _exit(1);
    }
    close(ready[1]);
    char can = 0;
    const ssize_t got = ::read(ready[0], &can, 1);
    close(ready[0]);
    if (got != 1 || can != 'y') {
        throw std::runtime_error("alice could not begin");
    }
}

Loop::~Loop() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

Exchange::Exchange(const std::string& a, const std::string& b)
    : Loop([] { return true; },
           [a, b] { renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE); }) {}

Lock::Lock(const std::string& path)
    : Loop(
          [path] {
              const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
              struct flock whole {};
              whole.l_type = F_WRLCK;
              return fcntl(fd, F_OFD_SETLK, &whole) == 0;
          },
          [] { pause(); }) {}

Lease::Lease(const std::string& path)
    : Loop(
          [path] {
              signal(SIGIO, SIG_IGN);
              const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
              return fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
          },
          [] { pause(); }) {}

}  // namespace alice

Protections::Protections(bool on) : before_(read()) {
    // 2 is for folders that a group can write to as well.
    write(on ? std::vector<std::string>{"1", "1", "2", "2"}
             : std::vector<std::string>{"0", "0", "0", "0"});
}

Protections::~Protections() {
    write(before_);
}

std::vector<std::string> Protections::read() {
    std::vector<std::string> values;
    for (const char* const name : kProtections) {
        values.push_back(read_file(setting_path(name)));
    }
    return values;
}

void Protections::write(const std::vector<std::string>& values) {
    for (std::size_t i = 0; i < kProtections.size(); ++i) {
        write_file(setting_path(kProtections.at(i)), values.at(i));
    }
}

Attack::Attack() : was_in_(fs::current_path()) {
    std::string name = (fs::temp_directory_path() / "ckpt-lease-attack-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        throw std::runtime_error("mkdtemp");
    }
    folder_ = name;
    fs::permissions(folder_, fs::perms(0755));
    fs::current_path(folder_);
    umask(022);
    fs::create_directory("alice");
    if (chown("alice", kAlice, kAlice) != 0) {
        throw std::runtime_error("chown");
    }
    fs::create_directory("admin");
    fs::copy(fs::path(SOURCE_ROOT) / "tests/images/criu-4.2", "admin");
    write_file("admin/job.img", image_bytes("holder_breaker.img"));
    write_file("admin/out.img", "an image of root's");
    write_file("admin/ckpt-lease.log", "the log of root's\n");
    shell("tar -C admin -cf admin/job.tar --exclude=job.tar --exclude=job.c .");
    write_file("admin/secret", "nobody else's business");
    fs::permissions("admin/secret", fs::perms(0600));
    fs::permissions("admin/job.img", fs::perms(0600));
    set_access_list("admin/out.img");
    if (setxattr("admin/out.img", "trusted.ckpt-lease", "mine", 4, 0) != 0) {
        throw std::runtime_error("no extended attribute can be set");
    }
    remember();
}

Attack::~Attack() {
    fs::current_path(was_in_);
    fs::remove_all(folder_);
}

void Attack::TearDown() {
    const Snapshot now = snapshot("admin");
    for (const auto& [path, what] : before_) {
        EXPECT_EQ(now.contains(path) ? now.at(path) : "nothing", what) << path;
    }
    EXPECT_EQ(now.size(), before_.size()) << "something was made in root's folder";
}

std::string journal_for(const std::string& image, ckpt_lease::Journal::Purpose purpose,
                        const std::string& bytes) {
    namespace io = ckpt_lease::io;
    const io::File file(io::posix_system(), image, O_RDONLY);
    std::vector<std::byte> before(bytes.size());
    before.resize(file.read_at(before, 0));
    ckpt_lease::Journal journal;
    journal.purpose = purpose;
    journal.image = fs::canonical(image).string();
    const std::span<const std::byte> wanted = std::as_bytes(std::span(bytes));
    journal.edits.add(0, wanted, before);

    journal.identity = identify(file, journal.edits);
    const std::string made = image + ".made";
    io::File out(io::posix_system(), made, O_RDWR | O_CREAT | O_TRUNC, mode_t{0600});
    write_journal(journal, journal.edits, out);
    std::string contents = read_file(made);
    fs::remove(made);
    return contents;
}

}  // namespace attack
