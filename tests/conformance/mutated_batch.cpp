// Reads CIBs, plans, and says in one line each what came of it: "plan FILE", or "error FILE WHERE: WHY". Names of files
// come on standard input, one in each line; before each answer nothing is held back, so that whoever asks knows which
// file it was that ended this program, or took too long.

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "edge/simulate/simulate.h"
#include "wire/cib/parse.h"

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string answer(const std::string& path) {
  const auto document = bascule::cib::parse(read_file(path), path);
  if (!document) {
    std::string text = document.error().text();  // may quote a value of several lines
    std::replace(text.begin(), text.end(), '\n', ' ');
    return "error " + path + " " + text;
  }
  const auto first = bascule::simulate::simulate(document->cib, 1'700'000'000);
  const auto second = bascule::simulate::simulate(document->cib, 1'700'000'000);
  const bool same = bascule::simulate::pacemaker_text(first) == bascule::simulate::pacemaker_text(second);
  return (same ? "plan " : "unequal ") + path;
}

}  // namespace

int main() {
  std::string path;
  while (std::getline(std::cin, path)) std::cout << answer(path) << std::endl;
  return 0;
}
