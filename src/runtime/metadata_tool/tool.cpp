#include "runtime/metadata_tool/tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "runtime/metadata_tool/commands.h"

namespace bascule::metadata_tool {
namespace {

int failed(const Failure& failure, bool as_json, const Streams& streams) {
  if (as_json)
    streams.out << json{{"ok", false}, {"error", error_json(failure.error)}} << "\n";
  else
    streams.err << "bascule drbdmeta: " << failure.error.text() << "\n";
  return failure.code;
}

Answer<Outcome> perform(const Request& request) {
  const Command command = command_of(request.command);
  if (command == nullptr)
    return failure(unusable, {"there is no such command", request.command, "", "bascule drbdmeta --help lists them"});
  return command(request);
}

}  // namespace

int run(const std::vector<std::string>& arguments, const Streams& streams, files::FileSystem& files) {
  const bool asks_help = std::ranges::any_of(
      arguments, [](const std::string& word) { return word == "--help" || word == "-h" || word == "help"; });
  if (asks_help) {
    streams.out << help();
    return done;
  }
  auto request = parse_arguments(arguments);
  const bool as_json = std::ranges::find(arguments, "--json") != arguments.end();
  if (!request) return failed(request.error(), as_json, streams);
  request->files = &files;
  const auto outcome = perform(*request);
  if (!outcome) return failed(outcome.error(), as_json, streams);
  if (as_json) {
    json object{{"ok", true}};
    object.update(outcome->object);
    streams.out << object << "\n";
  } else {
    streams.out << outcome->out;
  }
  streams.err << outcome->remarks;
  return outcome->code;
}

std::string help() {
  return R"(Reads and writes the metadata DRBD keeps on a disk, v08 and v09, as drbdmeta does.

  bascule drbdmeta [--force] MINOR v08|v09 DEVICE internal|flex-external|INDEX COMMAND [ARGUMENTS]

DEVICE is a block device or a plain file; with internal metadata the one with the data, else the one with the
metadata. MINOR is taken as drbdmeta takes it and means nothing here. --json prints one object.

  create-md [PEERS]         makes fresh metadata (v09: for 1..31 peers); with --force also over valid ones, and
                            metadata of the other format are converted
      --al-stripes N  --al-stripe-size-kB N  --peer-max-bio-size BYTES
  dump-md [--real-flags]    prints everything as text; v08 flags are printed as zero, as drbdmeta does, unless asked for
  restore-md FILE           writes what a dump says; verify-dump FILE only reads it
  apply-al                  after a crash: marks what was in use as out of sync. Needed before the disk is attached
  wipe-md                   makes the metadata unusable (needs --force)
  convert v08|v09           changes the format, keeps UUIDs and bitmap
  resize [--old-size BYTES] [--size BYTES] [--al-stripes N] [--al-stripe-size-kB N]
                            moves internal metadata to the end of a device that grew (--old-size: from there), or
                            prepares for one that will shrink (--size: to there), or changes the activity log
  get-gi, show-gi [--node-id N]   the generation UUIDs and flags (v09: those for one peer)
  set-gi [--node-id N] UUID:UUID:UUID:UUID:FLAG:...   what is left empty stays
  outdate, invalidate       the data are not the latest; are not usable at all
  dstate                    Inconsistent, Outdated, Consistent or UpToDate
  read-dev-uuid, write-dev-uuid UUID

Examples:
  bascule drbdmeta 0 v08 /dev/vg/data internal dump-md
  bascule drbdmeta 0 v09 /dev/vg/meta flex-external create-md 1
  bascule drbdmeta --json 0 v08 /dev/vg/data internal apply-al

Exit codes:
0   done
1   no valid metadata there, or refused
5   outdate: the data are inconsistent
10  an argument is missing or wrong, or there is no room
20  the device cannot be opened, or no such format, placement or command
)";
}

}  // namespace bascule::metadata_tool
