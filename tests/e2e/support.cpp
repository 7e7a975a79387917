// SPDX-License-Identifier: GPL-2.0-or-later
#include "support.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace e2e {
namespace fs = std::filesystem;
namespace {

std::array<int, 2> make_pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("pipe2");
    }
    return ends;
}

void write_all(int fd, const std::string& text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t n = write(fd, text.data() + done, text.size() - done);
        if (n <= 0) {
            break;  // the program does not want to read it all
        }
        done += static_cast<std::size_t>(n);
    }
    close(fd);
}

std::string read_all(int fd) {
    std::string text;
    std::array<char, 65536> piece{};
    for (ssize_t n = 0; (n = read(fd, piece.data(), piece.size())) > 0;) {
        text.append(piece.data(), static_cast<std::size_t>(n));
    }
    close(fd);
    return text;
}

std::string output_of(const std::string& arguments) {
    const std::unique_ptr<FILE, int (*)(FILE*)> out(
        popen((CKPT_LEASE_PROGRAM " " + arguments).c_str(), "r"), pclose);
    std::string text;
    for (int c = 0; (c = std::fgetc(out.get())) != EOF;) {
        text += static_cast<char>(c);
    }
    return text;
}

std::set<std::string> options_in(const std::string& text) {
    static const std::regex kOption("--[a-z][a-z-]+");
    return {std::sregex_token_iterator(text.begin(), text.end(), kOption),
            std::sregex_token_iterator()};
}

// Of all commands; and those of criu, which hints name, too.
const std::set<std::string>& known_options() {
    static const std::set<std::string> options = [] {
        std::set<std::string> all{"--action-script", "--file-locks", "--file-validation"};
        const std::string help = output_of("--help");
        const std::regex command("\n  ([a-z][a-z-]*)  +[A-Z]");
        for (std::sregex_iterator at(help.begin(), help.end(), command), end; at != end; ++at) {
            all.merge(options_in(output_of("help " + (*at)[1].str())));
        }
        return all;
    }();
    return options;
}

// A message that tells of an option tells of one that exists, but where it says just that.
void expect_known_options(const std::string& messages) {
    if (messages.find("there is no option") != std::string::npos) {
        return;
    }
    for (const std::string& option : options_in(messages)) {
        EXPECT_TRUE(known_options().contains(option)) << option << " in " << messages;
    }
}

// The program while it runs, and our ends of its pipes.
struct Running {
    pid_t pid = 0;
    int in = -1;
    int out = -1;
    int err = -1;

    Result finish(const std::string& rest_of_input) const {
        Result result;
        std::thread feeder([&] { write_all(in, rest_of_input); });
        std::thread reader([&] { result.err = read_all(err); });
        result.out = read_all(out);
        feeder.join();
        reader.join();
        int status = 0;
        waitpid(pid, &status, 0);
        result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        expect_known_options(result.err);
        return result;
    }
};

Running start(const std::vector<std::string>& args, const char* out_path, bool with_stderr,
              int out_fd = -1) {
    std::vector<std::string> words{CKPT_LEASE_PROGRAM};
    words.insert(words.end(), args.begin(), args.end());
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    // The program may end without having read all: that must not end the tests.
    signal(SIGPIPE, SIG_IGN);
    const auto in = make_pipe();
    const auto out = make_pipe();
    const auto err = make_pipe();
    // Whoever started the tests, with nohup(1) perhaps: signals do to the program what they do.
    posix_spawnattr_t attributes{};
    posix_spawnattr_init(&attributes);
    sigset_t all{};
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    if (out_path == nullptr) {
        posix_spawn_file_actions_adddup2(&actions, out_fd >= 0 ? out_fd : out[1], STDOUT_FILENO);
    } else {
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_path,
                                         O_WRONLY | O_CREAT | O_TRUNC, 0644);
    }
    if (with_stderr) {
        posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    } else {
        posix_spawn_file_actions_addclose(&actions, STDERR_FILENO);
    }
    Running running{0, in[1], out[0], err[0]};
    const int failed =
        posix_spawn(&running.pid, CKPT_LEASE_PROGRAM, &actions, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    if (failed != 0) {
        throw std::runtime_error("cannot start " CKPT_LEASE_PROGRAM);
    }
    return running;
}

bool has_hidden_file() {
    for (const auto& entry : fs::directory_iterator(".")) {
        if (entry.path().filename().string().starts_with('.')) {
            return true;
        }
    }
    return false;
}

const fs::path& images_folder() {
    static const fs::path folder = fs::path(SOURCE_ROOT) / "tests/images";
    return folder;
}

}  // namespace

Result run(const std::vector<std::string>& args, const std::string& input) {
    return start(args, nullptr, true).finish(input);
}

Result run_to(const std::string& out_path, const std::vector<std::string>& args,
              const std::string& input) {
    return start(args, out_path.c_str(), true).finish(input);
}

Result run_to_fd(int fd, const std::vector<std::string>& args) {
    return start(args, nullptr, true, fd).finish({});
}

Result run_without_stderr(const std::vector<std::string>& args) {
    return start(args, nullptr, false).finish({});
}

Result run_and_signal(const std::vector<std::string>& args, const std::string& input, int signal) {
    const Running running = start(args, nullptr, true);
    const auto written = write(running.in, input.data(), input.size());
    if (written != static_cast<ssize_t>(input.size())) {
        throw std::runtime_error("the input does not fit into a pipe");
    }
    // Until it is seen that the work has begun; a program that never begins fails the test here.
    constexpr int kTries = 1000;
    for (int i = 0; !has_hidden_file(); ++i) {
        if (i == kTries) {
            throw std::runtime_error("no file came into being");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    kill(running.pid, signal);
    int status = 0;
    waitpid(running.pid, &status, 0);  // its input is still open: only the signal can end it
    close(running.in);
    Result result;
    result.out = read_all(running.out);
    result.err = read_all(running.err);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw std::runtime_error("cannot read " + path.string());
    }
    std::ostringstream bytes;
    bytes << in.rdbuf();
    return bytes.str();
}

void write_file(const fs::path& path, const std::string& bytes) {
    std::ofstream out(path, std::ios::binary);
    out << bytes;
    if (!out.flush()) {
        throw std::runtime_error("cannot write " + path.string());
    }
}

const std::vector<std::string>& good_images() {
    static const std::vector<std::string> names{"holder_breaker",       "holder_breaker_v22",
                                                "holder_breaker_s390x", "shared_tables",
                                                "no_deadline",          "no_leases"};
    return names;
}

const std::vector<std::string>& all_images() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all = good_images();
        all.insert(all.end(), {"bad_truncated", "bad_checkpoint_failed"});
        return all;
    }();
    return names;
}

std::string image_bytes(const std::string& name) {
    return read_file(images_folder() / (name + ".img"));
}

Json image_truth(const std::string& name) {
    return Json::parse(read_file(images_folder() / (name + ".leases.json")));
}

bool is_big_endian(const std::string& name) {
    return name.ends_with("s390x");
}

Json parse_valid(const std::string& schema, const std::string& text) {
    using Adapter = valijson::adapters::NlohmannJsonAdapter;
    const Json rules =
        Json::parse(read_file(fs::path(SOURCE_ROOT) / "schemas" / (schema + ".json")));
    const Json document = Json::parse(text);
    valijson::Schema parsed;
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(rules), parsed);
    valijson::ValidationResults results;
    valijson::Validator().validate(parsed, Adapter(document), &results);
    valijson::ValidationResults::Error error;
    while (results.popError(error)) {
        std::string place;
        for (const std::string& step : error.context) {
            place += step;
        }
        ADD_FAILURE() << "schemas/" << schema << ".json refuses " << place << ": "
                      << error.description << "\n"
                      << text;
    }
    return document;
}

Test::Test() : before_(fs::current_path()) {
    std::string name = (fs::temp_directory_path() / "ckpt-lease-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        throw std::runtime_error("mkdtemp");
    }
    folder_ = name;
    fs::current_path(folder_);
}

Test::~Test() {
    fs::current_path(before_);
    fs::remove_all(folder_);
}

std::string Test::copy(const std::string& image) {
    std::string name = image + ".img";
    write_file(name, image_bytes(image));
    return name;
}

std::vector<std::string> Test::files() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(".")) {
        names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

void put(std::string& bytes, std::size_t offset, std::size_t width, std::uint64_t value,
         bool big_endian) {
    for (std::size_t i = 0; i < width; ++i) {
        const std::size_t at = offset + (big_endian ? width - 1 - i : i);
        bytes.at(at) = static_cast<char>(value >> (8 * i) & 0xff);
    }
}

bool has_crit() {
    return std::system("command -v crit >/dev/null") == 0;
}

}  // namespace e2e
