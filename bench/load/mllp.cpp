// Sends HL7 messages over MLLP, each after the answer to the one before, and checks each answer.
// build: g++ -std=c++20 -O2 -pthread -o mllp mllp.cpp
// usage: mllp HOST PORT keep|reconnect CONNECTIONS TOTAL MESSAGES PREFIX
// MESSAGES is a file of messages separated by 0x1e; "{ID}" in one becomes PREFIX and a number.
#include <memory>

#include "common.hpp"

static std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    for (size_t begin = 0, end; begin <= text.size(); begin = end + 1) {
        end = std::min(text.find(separator, begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
    }
    return parts;
}

static void replace_all(std::string& text, const std::string& what, const std::string& with) {
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) text.replace(at, what.size(), with);
}

int main(int count, char** words) {
    if (count != 8) return std::fprintf(stderr, "usage: see the head of mllp.cpp\n"), 2;
    const std::string host = words[1], prefix = words[7];
    const int port = std::atoi(words[2]), connections = std::atoi(words[4]), total = std::atoi(words[5]);
    const bool keep = std::string(words[3]) == "keep";
    const auto messages = split(read_file(words[6]), '\x1e');
    return run_load(connections, total, [&]() -> std::function<bool(int)> {
        auto connection = std::make_shared<std::unique_ptr<Connection>>();
        if (keep) *connection = std::make_unique<Connection>(host, port);
        return [=, &messages](int number) {
            const std::string id = prefix + std::to_string(number);
            std::string message = messages[static_cast<size_t>(number) % messages.size()];
            replace_all(message, "{ID}", id);
            if (!keep) *connection = std::make_unique<Connection>(host, port);
            (*connection)->send_all("\x0b" + message + "\x1c\x0d");
            std::string answer;
            while (answer.size() < 2 || answer[answer.size() - 2] != '\x1c') (*connection)->receive(answer);
            const size_t msa = answer.find("MSA|");
            return msa != std::string::npos && answer[msa + 5] == 'A' && answer.compare(msa + 7, id.size(), id) == 0;
        };
    });
}
