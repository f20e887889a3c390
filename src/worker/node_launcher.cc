#include "worker/node_launcher.h"

#include <utility>

#include "os/asio_world.h"

namespace hearth::worker {

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

NodeLauncher::~NodeLauncher() {
  if (pipes_ == nullptr) return;  // moved from
  for (const Pipe& each : pipes_->running) each->close();
  for (const Pipe& each : pipes_->left) each->close();
}

NodeLauncher::Pipe NodeLauncher::open_pipe(os::Descriptor reading, std::shared_ptr<Tie> tie,
                                           core::Level level) {
  OutputLines::Take take = [tie = std::move(tie), level, output = output_](OutputLine line) {
    log::LogRecord record{
        .level = level, .source = log::LogSource::kOutput, .wall_ms = 0, .message = {}};
    record.wall_ms = os::SystemClock().wall_ms();
    record.host = tie->number;
    record.what = level == core::Level::kInfo ? "stdout" : "stderr";
    record.message = std::move(line.text);
    record.cut = line.cut;
    record.partial = line.partial;
    record.continued = line.continued;
    record.dropped = line.dropped;
    if (line.dropped > 0) {
      record.level = core::Level::kWarn;
      record.message = std::to_string(line.dropped) + (line.dropped == 1 ? " line" : " lines") +
                       " dropped: more than " + std::to_string(OutputLines::kPerSecond) +
                       " a second were printed";
    }
    output(std::move(record));
  };
  auto pipe = std::make_shared<OutputPipe>(context_, std::move(reading), std::move(take));
  pipe->start();
  pipes_->running.push_back(pipe);
  return pipe;
}

// Those that nobody can print to any more, and the oldest of too many.
void NodeLauncher::let_go() {
  const auto closed = [](const Pipe& each) { return !each->open(); };
  std::erase_if(pipes_->running, closed);
  std::erase_if(pipes_->left, closed);
  while (pipes_->left.size() > kPipesLeftMax) {
    pipes_->left.front()->close();
    pipes_->left.pop_front();
  }
}

void NodeLauncher::prepare() {
  if (ahead_) return;
  if (Result<Started> started = start()) ahead_ = std::move(started).value();
}

Result<core::LaunchedHost> NodeLauncher::launch(std::uint32_t number,
                                                std::function<void(os::ExitStatus)> on_exit) {
  let_go();
  std::optional<Started> started = std::exchange(ahead_, std::nullopt);
  if (!started || started->tie->ended) {
    Result<Started> fresh = start();
    if (!fresh) return fresh.error();
    started = std::move(fresh).value();
  }
  started->tie->number = number;
  started->tie->on_exit = std::move(on_exit);
  return std::move(started->host);
}

Result<NodeLauncher::Started> NodeLauncher::start() {
  auto page = core::make_progress_page();
  if (!page) return page.error();
  auto ends = os::socket_pair();
  if (!ends) return ends.error();
  auto printed = os::pipe_ends();
  if (!printed) return printed.error();
  auto complained = os::pipe_ends();
  if (!complained) return complained.error();
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
  options.output = printed->second.get();
  options.error = complained->second.get();
  options.inherited = {ends->second.get(), page->descriptor()};
  auto tie = std::make_shared<Tie>();
  const Pipe out = open_pipe(std::move(printed->first), tie, core::Level::kInfo);
  const Pipe error = open_pipe(std::move(complained->first), tie, core::Level::kWarn);
  // What a host says at its end comes before the news of it.
  auto ended = [pipes = pipes_, out, error, tie](os::ExitStatus status) {
    for (const Pipe& each : {out, error}) {
      each->drain();
      std::erase(pipes->running, each);
      if (each->open()) pipes->left.push_back(each);
    }
    tie->ended = true;
    if (tie->on_exit) tie->on_exit(status);
  };
  auto process = processes_.spawn(options, std::move(ended));
  if (!process) return process.error();
  page->close_descriptor();
  core::LaunchedHost host{os::make_stream(context_, std::move(ends->first)),
                          std::move(page).value(), std::move(process).value()};
  return Started{std::move(host), std::move(tie)};
}

}  // namespace hearth::worker
