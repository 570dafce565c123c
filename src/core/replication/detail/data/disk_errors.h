#pragma once

#include <cstdint>
#include <string>

#include "core/replication/detail/disk/metadata.h"

namespace bascule::replication::detail {

/// What is done about an error of the local disk (on-io-error, model facts, section 8).
///
/// Authority::Cluster: a disk that refuses a write is Failed whatever the option says, and one that refuses a read
/// stays, because the in-sync set knows only whole replicas.
/// Authority::Operator: detach and call-local-io-error make it Failed, pass_on makes it Inconsistent.
enum class FailedIo : std::uint8_t { Read, Write, Flush, Metadata };
void disk_refused(Core& core, FailedIo what, int error_number);
/// disk-timeout, or a detach by force: the disk is gone, whatever it may still say.
void give_up_disk(Core& core, std::string why);

}  // namespace bascule::replication::detail
