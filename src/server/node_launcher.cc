#include "server/node_launcher.h"

#include "os/asio_world.h"

namespace hearth::server {

Result<Companions> Companions::find(const std::filesystem::path& program,
                                    const std::filesystem::path& node) {
  const std::filesystem::path folder = program.parent_path().parent_path() / "host";
  Companions found{node.empty() ? folder / "node" : std::filesystem::absolute(node),
                   folder / "host.mjs", folder / "bundler.mjs", folder / "hearth.node"};
  std::error_code ignored;
  for (const auto& path : {found.node, found.host_script, found.bundler_script, found.addon}) {
    if (!std::filesystem::exists(path, ignored)) {
      return Error{ErrorCode::kNotFound,
                   path.string() + " is missing: hearth was not built or installed whole"};
    }
  }
  return found;
}

Result<core::LaunchedHost> NodeLauncher::launch(std::function<void(os::ExitStatus)> on_exit) {
  auto page = core::make_progress_page();
  if (!page) return page.error();
  auto ends = os::socket_pair();
  if (!ends) return ends.error();
  os::ProcessOptions options;
  options.path = companions_.node.string();
  if (inspect_port_) {
    options.arguments.push_back("--inspect=127.0.0.1:" + std::to_string(*inspect_port_));
  }
  if (heap_mb_ > 0) {
    options.arguments.push_back("--max-old-space-size=" + std::to_string(heap_mb_));
  }
  options.arguments.push_back("--enable-source-maps");
  options.arguments.push_back("--disable-warning=ExperimentalWarning");
  options.arguments.push_back(companions_.host_script.string());
  options.environment = {"HEARTH_SOCKET_FD=3", "HEARTH_PROGRESS_FD=4",
                         "HEARTH_ADDON=" + companions_.addon.string()};
  options.directory = directory_.string();
  if (output_ >= 0) options.output = output_;
  options.inherited = {ends->second.get(), page->descriptor()};
  auto process = processes_.spawn(options, std::move(on_exit));
  if (!process) return process.error();
  page->close_descriptor();
  return core::LaunchedHost{os::make_stream(context_, std::move(ends->first)),
                            std::move(page).value(), std::move(process).value()};
}

}  // namespace hearth::server
