// One thing that is wrong with a project: the code of the catalogue, the sentence, the place, and
// the edits that mend it. Edits are told as a unified diff and can be applied. Plain values.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "project/value.h"

namespace hearth::project {

enum class Weight { kFault, kWarning };

// Replaces `removed` bytes at `offset` of a file by `text`.
struct Edit {
  std::filesystem::path file;
  std::size_t offset = 0;
  std::size_t removed = 0;
  std::string text;
};

struct Finding {
  std::string code;  // of the catalogue
  Weight weight = Weight::kWarning;
  std::string message{};         // what is wrong here, without place and code
  std::filesystem::path file{};  // absolute; empty when there is none
  Position at{};                 // line 0: the file as a whole
  std::string subject{};         // the class, binding or name it is about
  std::string wanted{};          // what should stand in its place
  std::vector<Edit> edits{};     // of this finding alone, in the order of the files
  bool safe = false;             // `--fix` may apply them
  std::string stack{};           // of an error that the code threw
};

// "wrangler.jsonc:4:7: … (C104)", as the log has it.
std::string sentence(const Finding& finding);

// Where a line and column (from 1, bytes) lie in a text; its size when beyond the end.
std::size_t offset_of(std::string_view text, Position at);

// The text after the edits, of which only those of `file` count. They must not overlap.
std::string edited(std::string_view text, const std::filesystem::path& file,
                   const std::vector<Edit>& edits);

// What the edits change, as a unified diff with paths relative to `root`; empty if a file cannot be
// read.
std::string diff_of(const std::vector<Edit>& edits, const std::filesystem::path& root);
// The same for two texts. `path` is what the diff's head says.
std::string unified_diff(std::string_view before, std::string_view after, std::string_view path);

// Writes the edits to the files, each whole.
Status apply(const std::vector<Edit>& edits);

}  // namespace hearth::project
