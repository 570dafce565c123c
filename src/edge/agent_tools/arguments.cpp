#include "edge/agent_tools/detail/arguments.h"

#include <algorithm>

namespace bascule::agent_tools {
namespace {

using Takes = Option::Takes;

const Option* by_letter(const std::vector<Option>& options, char letter) {
  const auto found = std::find_if(options.begin(), options.end(), [letter](const auto& option) {
    return option.letters.find(letter) != std::string::npos;
  });
  return found == options.end() ? nullptr : &*found;
}

const Option* by_word(const std::vector<Option>& options, const std::string& word) {
  const auto found = std::find_if(options.begin(), options.end(), [&word](const auto& option) {
    return std::find(option.words.begin(), option.words.end(), word) != option.words.end();
  });
  return found == options.end() ? nullptr : &*found;
}

class Parser {
 public:
  Parser(const std::vector<std::string>& words, const std::vector<Option>& options)
      : words_(words), options_(options) {}

  Arguments parse() {
    for (; next_ < words_.size() && result_.problem.empty(); ++next_) {
      const std::string& word = words_[next_];
      if (word.starts_with("--") && word.size() > 2)
        long_option(word.substr(2));
      else if (word.size() > 1 && word[0] == '-' && word != "--")
        letters(word.substr(1));
    }
    return result_;
  }

 private:
  void long_option(const std::string& text) {
    const auto equals = text.find('=');
    const Option* option = by_word(options_, text.substr(0, equals));
    if (option == nullptr) return problem("--" + text.substr(0, equals));
    if (equals != std::string::npos)
      result_.given[option->name] = text.substr(equals + 1);
    else
      take(*option);
  }

  void letters(const std::string& text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      const Option* option = by_letter(options_, text[at]);
      if (option == nullptr) return problem(std::string("-") + text[at]);
      if (option->takes != Takes::nothing && at + 1 < text.size()) {
        result_.given[option->name] = text.substr(at + 1);
        return;
      }
      take(*option);
    }
  }

  void take(const Option& option) {
    auto& value = result_.given[option.name];
    const bool more = next_ + 1 < words_.size();
    if (option.takes == Takes::value && !more) return problem("--" + option.words.front() + " without a value");
    const bool taken = option.takes == Takes::value ||
                       (option.takes == Takes::optional_value && more && !words_[next_ + 1].starts_with("-"));
    if (taken) value = words_[++next_];
  }

  void problem(const std::string& text) { result_.problem = "not understood: " + text; }

  const std::vector<std::string>& words_;
  const std::vector<Option>& options_;
  std::size_t next_ = 0;
  Arguments result_;
};

}  // namespace

std::string Arguments::value(const std::string& name, const std::string& otherwise) const {
  const auto found = given.find(name);
  return found == given.end() ? otherwise : found->second;
}

Arguments parse(const std::vector<std::string>& words, const std::vector<Option>& options) {
  return Parser(words, options).parse();
}

}  // namespace bascule::agent_tools
