#pragma once

#include <map>
#include <string>

#include "wire/cluster_message/message.h"

/// What a copy's agent reads of an operation of another copy: OCF_RESKEY_CRM_meta_notify_*, as Pacemaker gives them.
namespace bascule::agents {

/// Of `notify`: type, operation and all lists. Each list is there, " " when it is empty, and tells how things were
/// before the operation, before and after it: an agent adds what starts and takes away what stops. Copies are called
/// "db_pgsql:0".
[[nodiscard]] std::map<std::string, std::string> notification_environment(const message::Notice& notice);

/// The lists alone: Pacemaker gives them to the operation itself, too.
[[nodiscard]] std::map<std::string, std::string> operation_environment(const message::Notice& notice);

/// A notice of another node that means something: a type and an operation that there are.
[[nodiscard]] bool is_usable(const message::Notice& notice);

}  // namespace bascule::agents
