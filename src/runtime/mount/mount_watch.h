#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>

#include "base/result.h"

namespace bascule::mount {

/// Tells at once when something was mounted or unmounted in this mount namespace, by whomever.
class MountWatch {
 public:
  MountWatch(boost::asio::io_context& io, std::function<void()> changed) : table_(io), changed_(std::move(changed)) {}
  /// Without it mounts are only looked at now and then.
  [[nodiscard]] Result<void> open();

 private:
  void listen();

  boost::asio::posix::stream_descriptor table_;  ///< /proc/self/mountinfo
  std::function<void()> changed_;
};

}  // namespace bascule::mount
