#include "worker/bundler.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "os/asio_world.h"

namespace hearth::worker {

namespace {

using Json = nlohmann::json;
constexpr std::size_t kReportBytesMax = 16 * 1024 * 1024;

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t number_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<std::int64_t>() : 0;
}

std::string place_of(const Json& message) {
  std::string place = text_of(message, "file");
  if (place.empty()) return place;
  if (const std::int64_t line = number_of(message, "line")) {
    place += ":" + std::to_string(line);
    if (const std::int64_t column = number_of(message, "column")) {
      place += ":" + std::to_string(column);
    }
  }
  return place;
}

// "file:line:column: text", the line itself with a caret, and the notes.
std::string printed(const Json& message) {
  std::string out = place_of(message);
  if (!out.empty()) out += ": ";
  out += text_of(message, "text");
  const std::string line = text_of(message, "lineText");
  if (!line.empty()) {
    out += "\n      " + line;
    if (const std::int64_t column = number_of(message, "column"); column > 0 && column < 200) {
      out += "\n      " + std::string(static_cast<std::size_t>(column - 1), ' ') + "^";
    }
  }
  const auto notes = message.find("notes");
  if (notes != message.end() && notes->is_array()) {
    for (const Json& note : *notes) out += "\n    " + text_of(note, "text");
  }
  return out;
}

// What the bundler advises for the case at hand, if it does.
std::string advice_of(const Json& message) {
  const auto notes = message.find("notes");
  if (notes == message.end() || !notes->is_array() || notes->size() != 1) return {};
  return text_of(notes->front(), "text");
}

// What a command said last is most often why it failed.
std::string last_words(const Json& message) {
  const auto notes = message.find("notes");
  if (notes == message.end() || !notes->is_array() || notes->empty()) return {};
  return ": " + text_of(notes->back(), "text");
}

}  // namespace

std::string_view build_code(std::string_view text) {
  if (text.starts_with("Could not resolve")) return "B202";
  if (text.starts_with("No matching export")) return "B207";
  if (text.find("exports nothing") != std::string_view::npos) return "B208";
  if (text.starts_with("the entry point")) return "C112";
  if (text.starts_with("the build command")) return "B212";
  return "B201";
}

Result<BuildReport> read_report(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("ok") || !json["ok"].is_boolean()) {
    return Error{ErrorCode::kInvalid, "the bundler printed \"" + std::string(line.substr(0, 200)) +
                                          "\" where a report was expected"};
  }
  BuildReport report;
  report.ok = json["ok"].get<bool>();
  report.bundle = text_of(json, "bundle");
  report.ms = number_of(json, "ms");
  report.unchanged = json.value("unchanged", false);
  if (const auto exports = json.find("exports"); exports != json.end() && exports->is_array()) {
    report.exports_known = true;
    for (const Json& each : *exports) {
      if (each.is_string()) report.exports.push_back(each.get<std::string>());
    }
  }
  if (const auto list = json.find("warnings"); list != json.end() && list->is_array()) {
    for (const Json& each : *list) {
      report.warnings.push_back(each.is_string() ? each.get<std::string>() : printed(each));
    }
  }
  report.fault = core::fault_of("R413", 503, "the build is broken", "Mend the line shown.");
  bool is_first = true;
  if (const auto list = json.find("errors"); list != json.end() && list->is_array()) {
    for (const Json& each : *list) {
      if (std::exchange(is_first, false)) {
        std::string text = text_of(each, "text");
        if (build_code(text) == "B212") text += last_words(each);
        report.fault = core::fault_of(build_code(text), 503, "the build is broken: " + text);
        if (std::string advice = advice_of(each); !advice.empty() && report.fault.code != "B212") {
          report.fault.fix = std::move(advice);
        }
        report.fault.where = place_of(each);
        report.fault.stack = printed(each);
      } else {
        report.errors += "\n";
      }
      report.errors += "  " + printed(each);
    }
  }
  return report;
}

Bundler::Bundler(boost::asio::io_context& context, os::Processes& processes,
                 const Companions& companions, std::function<void(std::string_view)> on_report,
                 std::function<void(const std::string&)> on_end)
    : context_(context),
      processes_(processes),
      companions_(companions),
      on_report_(std::move(on_report)),
      on_end_(std::move(on_end)) {}

Bundler::~Bundler() {
  if (errors_) errors_->close();
}

Status Bundler::start(const std::string& job_json) {
  auto input = os::socket_pair();
  auto output = os::socket_pair();
  if (!input) return input.error();
  if (!output) return output.error();
  auto errors = os::pipe_ends();
  if (!errors) return errors.error();
  os::ProcessOptions options;
  options.path = companions_.node.string();
  options.arguments = {"--disable-warning=ExperimentalWarning",
                       companions_.bundler_script.string()};
  options.input = input->second.get();
  options.output = output->second.get();
  options.error = errors->second.get();
  errors_ = std::make_shared<OutputPipe>(
      context_, std::move(errors->first),
      [this](OutputLine line) { note_complaint(std::move(line.text)); });
  errors_->start();
  auto process = processes_.spawn(options, [this](os::ExitStatus status) {
    exit_ = status;
    ended_if_all_is_in();
  });
  if (!process) return process.error();
  process_ = std::move(process).value();
  input_ = os::make_stream(context_, std::move(input->first));
  output_ = os::make_stream(context_, std::move(output->first));
  output_->start(*this);
  // A job is far smaller than a socket's buffer, which is empty.
  const std::string line = job_json + "\n";
  if (input_->write_some(line) != line.size()) {
    return Error{ErrorCode::kIo, "the bundler did not take its job"};
  }
  return {};
}

void Bundler::on_data(std::string_view data) {
  pending_.append(data);
  std::size_t end;
  while ((end = pending_.find('\n')) != std::string::npos) {
    const std::string line = pending_.substr(0, end);
    pending_.erase(0, end + 1);
    if (!line.empty()) on_report_(line);
  }
  if (pending_.size() > kReportBytesMax) pending_.clear();
}

void Bundler::on_writable() {}

void Bundler::on_closed() {
  closed_ = true;
  ended_if_all_is_in();
}

// The line that names an error, else the first: Node.js tells where, and what only then.
void Bundler::note_complaint(std::string text) {
  const bool names_one = text.find("Error: ") != std::string::npos;
  const bool named = complaint_.find("Error: ") != std::string::npos;
  if (!text.empty() && (complaint_.empty() || (names_one && !named))) complaint_ = std::move(text);
}

void Bundler::ended_if_all_is_in() {
  if (!exit_ || !closed_ || !on_end_) return;
  errors_->drain();
  const std::string ending = exit_->describe() + (complaint_.empty() ? "" : ": " + complaint_);
  std::exchange(on_end_, nullptr)(ending);
}

}  // namespace hearth::worker
