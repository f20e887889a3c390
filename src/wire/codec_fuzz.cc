// Feeds a byte stream to the frame reader in pieces whose size the first byte picks, and every
// frame to both dispatchers. What is read must encode to the same bytes, and the pieces must not
// matter.
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "wire/codec.h"

namespace {

using namespace hearth;

struct Echo {
  std::string out;
  template <typename Message>
  void on(const Message& message) {
    wire::append(out, message);
  }
};

struct Outcome {
  std::vector<std::string> frames;
  bool ok = true;
  bool operator==(const Outcome&) const = default;
};

Outcome read_all(std::string_view data, std::size_t piece) {
  Outcome outcome;
  wire::FrameReader reader;
  while (!data.empty() && outcome.ok) {
    const std::string_view part = data.substr(0, piece);
    data.remove_prefix(part.size());
    outcome.ok = reader
                     .feed(part,
                           [&](std::string_view frame) {
                             outcome.frames.emplace_back(frame);
                             return Status{};
                           })
                     .ok();
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read_all(stream, stream.size() + 1);
  ASSERT(whole == read_all(stream, std::size_t{1} + data[0]), "the pieces changed the frames");
  for (const std::string& frame : whole.frames) {
    Echo host, core;
    const bool to_host = wire::dispatch<wire::Direction::kToHost>(frame, host).ok();
    const bool to_core = wire::dispatch<wire::Direction::kToCore>(frame, core).ok();
    ASSERT(!(to_host && to_core), "a frame was read in both directions");
    if (to_host) ASSERT(host.out.substr(4) == frame, "a frame did not encode to what was read");
    if (to_core) ASSERT(core.out.substr(4) == frame, "a frame did not encode to what was read");
    wire::for_each_entry(frame, [](std::string_view) {});
  }
  return 0;
}
