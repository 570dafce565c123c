// Stands in for libFuzzer where clang is not used: replays the files named on the command line, then feeds seeded
// random inputs and mutations of those files. `--runs=N` sets how many.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/prng.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

Input read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Input mutate(Input input, bascule::Prng& prng) {
  const auto changes = prng.below(4);
  for (std::uint64_t i = 0; i <= changes && !input.empty(); ++i)
    input[prng.below(input.size())] = static_cast<std::uint8_t>(prng.next());
  if (prng.chance(1, 4)) input.resize(prng.below(input.size() + 1));
  return input;
}

Input random_input(bascule::Prng& prng) {
  Input input(prng.below(256));
  for (auto& byte : input) byte = static_cast<std::uint8_t>(prng.next());
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  long runs = 10000;
  std::vector<Input> corpus;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--runs=", 0) == 0)
      runs = std::atol(argument.c_str() + 7);
    else
      corpus.push_back(read_file(argv[i]));
  }
  for (const auto& input : corpus) LLVMFuzzerTestOneInput(input.data(), input.size());
  bascule::Prng prng(1);
  for (long run = 0; run < runs; ++run) {
    const bool fresh = corpus.empty() || prng.chance(1, 3);
    const Input input = fresh ? random_input(prng) : mutate(corpus[prng.below(corpus.size())], prng);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%zu files and %ld generated inputs, no crash\n", corpus.size(), runs);
  return 0;
}
