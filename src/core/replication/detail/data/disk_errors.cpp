#include "core/replication/detail/data/disk_errors.h"

namespace bascule::replication::detail {
namespace {

const char* name_of(FailedIo what) {
  switch (what) {
    case FailedIo::Read:
      return "a read";
    case FailedIo::Write:
      return "a write";
    case FailedIo::Flush:
      return "a flush";
    case FailedIo::Metadata:
      return "a write of its metadata";
  }
  return "?";
}

}  // namespace

void give_up_disk(Core& core, std::string why) {
  if (core.disk <= DiskState::Failed && core.disk != DiskState::Attaching) return;
  core.why = core.disk_failure = std::move(why);
  core.become(DiskState::Failed, core.why);
}

void disk_refused(Core& core, FailedIo what, int error_number) {
  using drbd_config::OnIoError;
  const std::string text =
      std::string("the disk refused ") + name_of(what) + " (error " + std::to_string(error_number) + ")";
  core.event(what == FailedIo::Read ? "disk-read-failed" : "disk-failed", text);
  const OnIoError policy = core.config.options.disk.on_io_error;
  const bool operators = core.config.authority == Authority::Operator;
  if (!operators && what == FailedIo::Read) return;
  // The metadata is not the application's: its errors always detach.
  if (operators && policy == OnIoError::pass_on && what != FailedIo::Metadata) {
    core.why = text;
    if (core.disk > DiskState::Inconsistent) core.become(DiskState::Inconsistent, text);
    return core.changed();
  }
  if (operators && policy == OnIoError::call_local_io_error && core.disk > DiskState::Failed)
    core.emit(effect::RunHandler{"local-io-error", 0});
  give_up_disk(core, text);
}

}  // namespace bascule::replication::detail
