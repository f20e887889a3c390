#include "cli/init_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "cli/init_files.h"
#include "cli/types_command.h"
#include "os/files.h"
#include "server/usage.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kNameBytesMax = 60;
constexpr std::size_t kNamesShown = 3;

// What the worker may be called: small letters, digits and "-", beginning with a letter.
std::string worker_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 && byte < 0x80) {
      name += static_cast<char>(std::tolower(byte));
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  name.erase(0, std::min(name.find_first_of("abcdefghijklmnopqrstuvwxyz"), name.size()));
  name.resize(std::min(name.size(), kNameBytesMax));
  while (name.ends_with('-')) name.pop_back();
  return name.empty() ? "my-agents" : name;
}

// The first names of what is in the folder, but for a repository that was begun there.
std::vector<std::string> occupants(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ended;
  for (fs::directory_iterator entry(folder, ended), end; !ended && entry != end;
       entry.increment(ended)) {
    const std::string name = entry->path().filename().string();
    if (name != ".git") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

int refuse(const std::string& why) {
  std::fprintf(stderr, "hearth init: %s\n", why.c_str());
  return 2;
}

std::string ask_name(const std::string& proposed) {
  std::printf("Name of the worker [%s]: ", proposed.c_str());
  std::fflush(stdout);
  std::string answer;
  if (!std::getline(std::cin, answer) || answer.find_first_not_of(" \t") == std::string::npos) {
    return proposed;
  }
  return worker_name(answer);
}

Status write_all(const fs::path& folder, const std::string& name) {
  for (const auto& [path, text] : starter_files(name)) {
    const fs::path file = folder / path;
    if (Status made = os::make_directories(file.parent_path()); !made) return made;
    std::ofstream out(file, std::ios::binary);
    out << text;
    out.close();
    if (!out) return Error{ErrorCode::kIo, file.string() + " cannot be written"};
  }
  TypesRequest request;
  request.config = folder / "wrangler.jsonc";
  const auto types = make_types(request);
  if (!types) return types.error();
  return write_types(*types);
}

}  // namespace

int init_command(int argc, const char* const* argv) {
  CLI::App app{"makes a project that works, in an empty folder"};
  app.name("hearth init");
  fs::path given = ".";
  std::string name;
  bool yes = false;
  app.add_option("DIR", given, "the folder; made if it is not there (default: this one)");
  app.add_option("--name", name, "the worker's name (default: the folder's)");
  app.add_flag("-y,--yes", yes, "ask nothing");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return server::tell_usage(app, error);
  }
  fs::path folder = fs::absolute(given).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error)) {
    return refuse(folder.string() + " is a file; give a folder: hearth init my-agents");
  }
  if (const auto names = occupants(folder); !names.empty()) {
    std::string list;
    for (std::size_t i = 0; i < std::min(names.size(), kNamesShown); ++i) {
      list += (i == 0 ? "" : ", ") + names[i];
    }
    if (names.size() > kNamesShown) {
      list += " and " + std::to_string(names.size() - kNamesShown) + " more";
    }
    return refuse(folder.string() + " is not empty: it has " + list +
                  "; nothing was written. Give an empty or a new folder: hearth init my-agents");
  }
  const std::string proposed = worker_name(name.empty() ? folder.filename().string() : name);
  if (!name.empty() && name != proposed) {
    return refuse("\"" + name + "\" is no name of a worker; what about --name " + proposed + "?");
  }
  const bool can_ask = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  name = yes || !name.empty() || !can_ask ? proposed : ask_name(proposed);
  if (const Status written = write_all(folder, name); !written) {
    return refuse(written.error().message);
  }
  std::printf("%s is in %s. Next:\n\n", name.c_str(), folder.c_str());
  if (folder != fs::current_path(error)) std::printf("  cd %s\n", given.c_str());
  std::printf("  npm install\n  hearth dev\n\nand open http://127.0.0.1:8787\n");
  return 0;
}

}  // namespace hearth::cli
