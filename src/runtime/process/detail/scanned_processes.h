#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "runtime/process/cgroup.h"

namespace bascule::process {

/// The fallback without cgroups: a process belongs to the service if its environment carries the service's marker, or
/// if it lives in the session of one of its actions, or if its parent belongs.
[[nodiscard]] std::unique_ptr<ServiceProcesses> make_scanned_processes(boost::asio::io_context& io,
                                                                       const std::string& directory,
                                                                       const std::string& service);

}  // namespace bascule::process
