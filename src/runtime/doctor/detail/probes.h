#pragma once

#include <string>
#include <vector>

#include "runtime/doctor/probe.h"

namespace bascule::doctor::detail {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool open() const { return number_ >= 0; }

 private:
  int number_;
};

/// The first line of a file; empty when it cannot be read.
[[nodiscard]] std::string first_line(const std::string& path);
/// Names in a directory, sorted, without . and ..; empty when it cannot be read.
[[nodiscard]] std::vector<std::string> names_in(const std::string& path);
/// Whether somebody listens on this unix socket.
[[nodiscard]] bool answers(const std::string& socket);

void probe_machine(const Options& options, Facts& facts);
void probe_network(const Options& options, Facts& facts);
void probe_storage(const Options& options, Facts& facts);
void probe_services(Facts& facts);
/// What a program prints, waited for; empty when it cannot be run, fails, or is not done within `bytes_max`. `words`:
/// its name and arguments.
[[nodiscard]] std::string output_of(const char* program, std::vector<std::string> words, std::size_t bytes_max);
/// The hardware addresses that answer to an ARP probe for this IPv4 address.
[[nodiscard]] std::vector<std::string> who_has(const std::string& address, const std::string& interface);

}  // namespace bascule::doctor::detail
