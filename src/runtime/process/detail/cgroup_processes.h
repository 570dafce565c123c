#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "runtime/process/cgroup.h"

namespace bascule::process {

/// MOUNT/DIRECTORY/SERVICE, made if it is not there; a cgroup per step below it, made when first needed.
[[nodiscard]] Result<std::unique_ptr<ServiceProcesses>> open_cgroup_processes(boost::asio::io_context& io,
                                                                              const std::string& mount,
                                                                              const std::string& directory,
                                                                              const std::string& service);

}  // namespace bascule::process
