#include "http_load.h"
#include "options.h"
#include "websocket_load.h"

int main(int argument_count, char** arguments) {
  const auto options = hearth::load::parse_options(argument_count, arguments);
  if (!options) return 2;
  switch (options->mode) {
    case hearth::load::Mode::kWebSocketEcho:
      hearth::load::run_websocket_echo(*options);
      break;
    case hearth::load::Mode::kHttp:
      hearth::load::run_http(*options);
      break;
    case hearth::load::Mode::kIdle:
      hearth::load::run_idle(*options);
      break;
  }
  return 0;
}
