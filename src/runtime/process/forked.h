#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>

namespace bascule::process {

/// Does one thing in a copy of this process, for system calls that may wait in the kernel for as long as the writes of
/// a disk are held. Who waits there cannot be killed: a thread would keep this process from dying, a copy does not.
///
/// `work` runs in the copy; `done` is called here, from the io_context, with what `work` returned: empty if the copy
/// ended without a word. The copy is called `name` (at most 15 bytes), has none of this process's descriptors but the
/// first three, and is killed when this process ends. False: there is no process to be had (errno), and `done` is not
/// called.
[[nodiscard]] bool run_forked(boost::asio::io_context& io, const char* name, const std::function<std::string()>& work,
                              std::function<void(std::string)> done);

}  // namespace bascule::process
