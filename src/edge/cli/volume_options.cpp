#include "edge/cli/volume_options.h"

namespace bascule::cli {
namespace {

constexpr std::uint64_t kSector = 512;

void add_option(CLI::App& app, const VolumeOption& option, VolumeRequest& request) {
  const std::string name = "--" + std::string(option.name), key = option.key;
  const auto give = [&request, key](std::uint64_t value) { request.arguments[key] = value; };
  if (key == "yes")
    app.add_flag(name, request.yes, option.help);
  else if (option.kind == VolumeOption::Kind::flag)
    app.add_flag_callback(
        name, [&request, key] { request.arguments[key] = true; }, option.help);
  else if (option.kind == VolumeOption::Kind::number)
    app.add_option_function<std::uint64_t>(name, give, option.help);
  else
    app.add_option_function<std::uint64_t>(
           name, [give](std::uint64_t bytes) { give(bytes / kSector); }, option.help)
        ->transform(CLI::AsSizeValue(false));
}

}  // namespace

void add_volume_options(CLI::App& app, const VolumeAction& action, VolumeRequest& request) {
  app.add_option("name", request.volume, "the volume")->required();
  for (const VolumeOption& option : action.options) add_option(app, option, request);
  if (action.may_wait) app.add_flag("--wait", request.wait, "tell progress until the resync or verify is done");
}

void add_drbd_options(CLI::App& app, const std::string& verb, DrbdRequest& request) {
  const bool lists = verb == "status" || verb == "events2";
  auto* const name = app.add_option("name", request.resource, "the volume, its minor, or all");
  if (!lists) name->required();
  if (lists) app.add_flag("--statistics", request.statistics, "counters too");
  if (verb == "status") app.add_flag("--verbose", request.verbose, "also what is as it should be");
  if (verb != "events2") return;
  app.add_flag("--now", request.now, "what there is, and no more");
  app.add_flag("--timestamps", request.timestamps, "a time before each line");
}

}  // namespace bascule::cli
