// Asks a Modality Worklist SCP the same question again and again and counts the answers.
// build: g++ -std=c++20 -O2 -pthread -o worklist worklist.cpp
// usage: worklist HOST PORT CALLED_AET CALLING_AET keep|reconnect CONNECTIONS TOTAL EXPECTED SECONDS IDENTIFIER...
// IDENTIFIER is the data set of the C-FIND request in Implicit VR Little Endian; EXPECTED the number of answers to it.
// Where there are several, each connection asks another one, in turn.
#include <memory>

#include "common.hpp"

static const std::string WORKLIST = "1.2.840.10008.5.1.4.31", IMPLICIT = "1.2.840.10008.1.2";

static std::string big16(size_t v) { return {static_cast<char>(v >> 8), static_cast<char>(v)}; }
static std::string big32(size_t v) { return big16(v >> 16 & 0xffff) + big16(v & 0xffff); }
static std::string little16(size_t v) { return {static_cast<char>(v), static_cast<char>(v >> 8)}; }
static std::string little32(size_t v) { return little16(v & 0xffff) + little16(v >> 16 & 0xffff); }
static std::string padded(std::string text, size_t size) { return text.resize(size, ' '), text; }

static size_t number_at(const std::string& bytes, size_t at, int size, bool big) {
    size_t value = 0;
    for (int i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<size_t>(big ? i : size - 1 - i)]);
    return value;
}

// PS3.8 section 9.3.2: A-ASSOCIATE-RQ with one presentation context.
static std::string associate_request(const std::string& called, const std::string& calling) {
    auto item = [](char type, const std::string& body) { return std::string{type, 0} + big16(body.size()) + body; };
    std::string body = big16(1) + std::string(2, '\0') + padded(called, 16) + padded(calling, 16) + std::string(32, '\0');
    body += item(0x10, "1.2.840.10008.3.1.1.1");
    body += item(0x20, std::string("\1\0\0\0", 4) + item(0x30, WORKLIST) + item(0x40, IMPLICIT));
    body += item(0x50, item(0x51, big32(131072)) + item(0x52, "2.25.1"));
    return std::string("\1\0", 2) + big32(body.size()) + body;
}

static std::string element(size_t group, size_t number, const std::string& value) {
    return little16(group) + little16(number) + little32(value.size()) + value;
}

static std::string fragment(char header, const std::string& bytes) {
    return std::string("\4\0", 2) + big32(bytes.size() + 6) + big32(bytes.size() + 2) + '\1' + header + bytes;
}

// PS3.7 section 9.3.2.1: C-FIND-RQ, then its identifier.
static std::string find_request(size_t message_id, const std::string& identifier) {
    std::string command = element(0, 0x0002, WORKLIST + (WORKLIST.size() % 2 ? std::string(1, '\0') : ""));
    command += element(0, 0x0100, little16(0x0020)) + element(0, 0x0110, little16(message_id));
    command += element(0, 0x0700, little16(0)) + element(0, 0x0800, little16(1));
    return fragment(3, element(0, 0x0000, little32(command.size())) + command) + fragment(2, identifier);
}

class Association {
  public:
    Association(const std::string& host, int port, const std::string& called, const std::string& calling) : connection_(host, port) {
        connection_.send_all(associate_request(called, calling));
        if (next_pdu()[0] != 2) throw std::runtime_error("association refused");
    }

    // Return how many answers came; throw when the query did not end with success.
    int find(const std::string& identifier) {
        connection_.send_all(find_request(++message_id_, identifier));
        int answers = 0;
        for (;;) {
            const std::string pdu = next_pdu();
            if (pdu[0] != 4) throw std::runtime_error("unexpected PDU");
            for (size_t at = 6; at + 6 <= pdu.size(); at += 4 + number_at(pdu, at, 4, true)) {
                if (!(pdu[at + 5] & 1)) continue;
                const size_t status = status_of(pdu, at + 6, at + 4 + number_at(pdu, at, 4, true));
                if (status == 0) return answers;
                if (status != 0xff00 && status != 0xff01) throw std::runtime_error("query failed");
                ++answers;
            }
        }
    }

    void release() {
        connection_.send_all(std::string("\5\0\0\0\0\4\0\0\0\0", 10));
        if (next_pdu()[0] != 6) throw std::runtime_error("no release");
    }

  private:
    static size_t status_of(const std::string& bytes, size_t at, size_t end) {
        for (; at + 8 <= end; at += 8 + number_at(bytes, at + 4, 4, false))
            if (number_at(bytes, at, 2, false) == 0 && number_at(bytes, at + 2, 2, false) == 0x0900) return number_at(bytes, at + 8, 2, false);
        throw std::runtime_error("no status");
    }

    std::string next_pdu() {
        while (buffer_.size() < 6 || buffer_.size() < 6 + number_at(buffer_, 2, 4, true)) connection_.receive(buffer_);
        std::string pdu = buffer_.substr(0, 6 + number_at(buffer_, 2, 4, true));
        buffer_.erase(0, pdu.size());
        return pdu;
    }

    Connection connection_;
    std::string buffer_;
    size_t message_id_ = 0;
};

int main(int count, char** words) {
    if (count < 11) return std::fprintf(stderr, "usage: see the head of worklist.cpp\n"), 2;
    const std::string host = words[1], called = words[3], calling = words[4];
    const int port = std::atoi(words[2]), connections = std::atoi(words[6]), total = std::atoi(words[7]), expected = std::atoi(words[8]);
    const bool keep = std::string(words[5]) == "keep";
    std::vector<std::string> identifiers;
    for (int word = 10; word < count; ++word) identifiers.push_back(read_file(words[word]));
    std::atomic<size_t> place{0};
    return run_load(connections, total, [&]() -> std::function<bool(int)> {
        std::shared_ptr<Association> kept;
        if (keep) kept = std::make_shared<Association>(host, port, called, calling);
        const std::string& identifier = identifiers[place++ % identifiers.size()];
        return [=, &identifier](int) {
            if (kept) return kept->find(identifier) == expected;
            Association association(host, port, called, calling);
            const bool right = association.find(identifier) == expected;
            association.release();
            return right;
        };
    }, std::atof(words[9]));
}
