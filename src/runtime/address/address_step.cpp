// The address of a service as one of its steps.
#include "runtime/address/address_step.h"

#include <spdlog/spdlog.h>

#include <array>
#include <charconv>

#include "base/time.h"

namespace bascule::address {
namespace {

/// After the first announcement, from each to the next.
constexpr std::array<Duration, 4> announcement_pauses = {milliseconds(50), milliseconds(250), milliseconds(700),
                                                         seconds(2)};
constexpr int ocf_success = 0, ocf_error = 1, ocf_unimplemented = 3, ocf_not_running = 7;

std::string value_of(const std::map<std::string, std::string>& parameters, const char* name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string{} : found->second;
}

ServiceAddress address_of(const std::map<std::string, std::string>& parameters) {
  ServiceAddress address{value_of(parameters, "ip"), 0, value_of(parameters, "nic")};
  const std::string prefix = value_of(parameters, "cidr_netmask");
  std::from_chars(prefix.data(), prefix.data() + prefix.size(), address.prefix);  // the configuration has checked it
  return address;
}

}  // namespace

AddressStep::AddressStep(boost::asio::io_context& io, const std::map<std::string, std::string>& parameters)
    : address_(address_of(parameters)), timer_(io) {}

Answer AddressStep::run(const std::string& operation) {
  if (operation == "start") return start();
  if (operation == "stop") return stop();
  if (operation != "monitor") return {ocf_unimplemented, "an address has no " + operation};
  const auto present = is_present(address_);
  if (!present) return {ocf_error, present.error().text()};
  return {*present ? ocf_success : ocf_not_running, ""};
}

Answer AddressStep::start() {
  const auto device = bring_up(address_);
  if (!device) return {ocf_error, device.error().text()};
  device_ = *device;
  if (auto announced = announce(address_, device_); !announced) spdlog::warn("{}", announced.error().text());
  announce_again(0);
  return {};
}

void AddressStep::announce_again(std::size_t time) {
  if (time == announcement_pauses.size()) return;
  timer_.expires_after(announcement_pauses[time]);
  timer_.async_wait([this, time](const boost::system::error_code& error) {
    if (error || device_.empty()) return;
    (void)announce(address_, device_);  // the first one has told what is wrong
    announce_again(time + 1);
  });
}

Answer AddressStep::stop() {
  device_.clear();
  timer_.cancel();
  const auto taken = take_down(address_);
  return taken ? Answer{} : Answer{ocf_error, taken.error().text()};
}

}  // namespace bascule::address
