#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace quorate::raft {

// A queue in one block that grows by doubling and allocates nothing while empty: an idle group has
// many of them, and each costs three words.
template <class T>
class Ring {
 public:
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    T& operator[](std::size_t i) { return slots_[(head_ + i) & (slots_.size() - 1)]; }
    const T& operator[](std::size_t i) const { return slots_[(head_ + i) & (slots_.size() - 1)]; }
    T& front() { return (*this)[0]; }
    const T& front() const { return (*this)[0]; }
    T& back() { return (*this)[size_ - 1]; }
    const T& back() const { return (*this)[size_ - 1]; }

    void push_back(T value) {
        if (size_ == slots_.size()) grow();
        ++size_;
        back() = std::move(value);
    }
    void pop_front() {
        head_ = (head_ + 1) & (slots_.size() - 1);
        --size_;
    }
    void pop_back() { --size_; }
    void clear() {
        slots_ = {};
        head_ = size_ = 0;
    }

 private:
    void grow() {
        std::vector<T> wider(slots_.empty() ? 8 : slots_.size() * 2);
        for (std::size_t i = 0; i < size_; ++i) wider[i] = std::move((*this)[i]);
        slots_ = std::move(wider);
        head_ = 0;
    }

    std::vector<T> slots_;  // a power of two
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

}  // namespace quorate::raft
