// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/elements.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <future>
#include <string>
#include <string_view>

#include "render/out.hpp"

namespace ckpt_lease::render {
namespace {

// Of each piece this thread writes the first part; the other thread writes the rest into memory
// meanwhile. This one has less to write, as it also hands all of it to the kernel.
constexpr std::size_t kPiece = 8192;
constexpr std::size_t kOwnPart = kPiece / 3;

// Writes them in an array of its own, whose bracket is the first character of `text`.
void write_to_memory(const WriteElements& write, std::size_t begin, std::size_t end,
                     std::string& text) {
    text.clear();
    Out out(text);
    JsonWriter json(out);
    json.begin_array();
    write(json, begin, end);
    out.flush();
}

}  // namespace

bool write_elements(JsonWriter& json, std::size_t count, const WriteElements& write) {
    // Used in turn, again and again: memory that is new takes its time.
    std::array<std::string, 2> texts;
    std::size_t turn = 0;
    const auto begin_rest = [&](std::size_t piece) {
        turn = 1 - turn;
        const std::size_t begin = std::min(piece + kOwnPart, count);
        const std::size_t end = std::min(piece + kPiece, count);
        // "deferred": where there can be no other thread, this one does it, in get().
        return std::async(
            begin == end ? std::launch::deferred : std::launch::async | std::launch::deferred,
            write_to_memory, std::cref(write), begin, end, std::ref(texts[turn]));
    };
    bool any = false;
    std::future<void> rest = begin_rest(0);
    for (std::size_t piece = 0; piece < count; piece += kPiece) {
        any |= write(json, piece, std::min(piece + kOwnPart, count));
        rest.get();
        const std::string_view elements = std::string_view(texts[turn]).substr(1);
        rest = begin_rest(std::min(piece + kPiece, count));
        any |= !elements.empty();
        json.elements(elements);
    }
    return any;
}

}  // namespace ckpt_lease::render
