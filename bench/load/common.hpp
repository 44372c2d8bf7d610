// What both load generators share: a blocking socket, percentiles, and one line of JSON.
#pragma once
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using Clock = std::chrono::steady_clock;

inline double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

inline std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// A TCP connection with TCP_NODELAY and a 30 s receive time-out. Errors are exceptions.
class Connection {
  public:
    Connection(const std::string& host, int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
        int one = 1;
        timeval patience{30, 0};
        setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<uint16_t>(port));
        inet_pton(AF_INET, host.c_str(), &address.sin_addr);
        if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address)) {
            close(fd_);
            throw std::runtime_error("connect");
        }
    }
    ~Connection() { close(fd_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void send_all(const std::string& bytes) {
        for (size_t sent = 0; sent < bytes.size();) {
            ssize_t n = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (n <= 0) throw std::runtime_error("send");
            sent += static_cast<size_t>(n);
        }
    }

    // Append what has arrived to `into`, waiting for at least one byte.
    void receive(std::string& into) {
        char buffer[65536];
        ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
        if (n <= 0) throw std::runtime_error("receive");
        into.append(buffer, static_cast<size_t>(n));
    }

  private:
    int fd_;
};

// Run `total` pieces of work on `workers` threads, but begin none after `most_seconds`. `make` is called once in each
// thread and gives the function that does piece number k and returns whether it went well. Prints one line of JSON with
// latencies and throughput.
inline int run_load(int workers, int total, const std::function<std::function<bool(int)>()>& make, double most_seconds = 1e9) {
    std::vector<std::vector<double>> times(static_cast<size_t>(workers));
    std::atomic<int> next{0}, errors{0}, refused{0};
    std::barrier gate(workers + 1);
    std::vector<std::thread> threads;
    for (int w = 0; w < workers; ++w) {
        threads.emplace_back([&, w] {
            std::function<bool(int)> work;
            try {
                work = make();
            } catch (const std::exception&) {
                ++errors;
            }
            gate.arrive_and_wait();
            const auto began = Clock::now();
            for (int k; work && (k = next++) < total && milliseconds_since(began) < most_seconds * 1000;) {
                auto start = Clock::now();
                try {
                    if (!work(k)) ++refused;
                    times[static_cast<size_t>(w)].push_back(milliseconds_since(start));
                } catch (const std::exception&) {
                    ++errors;
                    break;
                }
            }
            gate.arrive_and_wait();
        });
    }
    gate.arrive_and_wait();
    auto start = Clock::now();
    gate.arrive_and_wait();
    double seconds = milliseconds_since(start) / 1000;
    for (auto& thread : threads) thread.join();
    std::vector<double> all;
    for (auto& some : times) all.insert(all.end(), some.begin(), some.end());
    std::sort(all.begin(), all.end());
    auto at = [&](double share) {
        return all.empty() ? -1.0 : all[std::min(all.size() - 1, static_cast<size_t>(share * static_cast<double>(all.size())))];
    };
    std::printf(
        "{\"connections\":%d,\"done\":%zu,\"errors\":%d,\"refused\":%d,\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,"
        "\"seconds\":%.3f,\"per_second\":%.1f}\n",
        workers, all.size(), errors.load(), refused.load(), at(.5), at(.95), at(.99), seconds,
        static_cast<double>(all.size()) / seconds);
    return errors ? 1 : 0;
}
