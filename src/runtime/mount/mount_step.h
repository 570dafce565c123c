#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/time.h"

namespace bascule::mount {

/// The built-in step "mount" of a service.
class MountStep {
 public:
  /// An exit code in OCF's meaning (0, 1, 7), and why. Called once, from the io_context, never from within run().
  using Done = std::function<void(int code, std::string why)>;

  /// `parameters`: directory, fstype, and options (may be left out), as Filesystem calls them.
  MountStep(boost::asio::io_context& io, const std::map<std::string, std::string>& parameters);
  ~MountStep();
  MountStep(const MountStep&) = delete;
  MountStep& operator=(const MountStep&) = delete;

  /// start, stop or monitor; `device` is the volume's.
  void run(const std::string& operation, const std::string& device, Duration timeout, Done done);
  /// It was mounted and is not any more, without a stop: told once.
  [[nodiscard]] bool vanished();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace bascule::mount
