#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

namespace quorate {

// A queue in one block that doubles, and halves when three quarters of it are unused. It allocates nothing
// before its first element, and little for few: an idle group has many of them. What is popped is destroyed
// at once.
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
        if (size_ == slots_.size()) resize(slots_.empty() ? first_slots : slots_.size() * 2);
        ++size_;
        back() = std::move(value);
    }
    void pop_front() {
        forget(front());
        head_ = (head_ + 1) & (slots_.size() - 1);
        --size_;
        shrink();
    }
    void pop_back() {
        forget(back());
        --size_;
        shrink();
    }
    void clear() {
        slots_ = {};
        head_ = size_ = 0;
    }

 private:
    static constexpr std::size_t first_slots = 4;
    static constexpr std::size_t kept_slots = 64;  // a queue that is mostly short keeps its block

    static void forget(T& value) {
        if constexpr (!std::is_trivially_destructible_v<T>) value = T{};
    }
    void shrink() {
        if (slots_.size() > kept_slots && size_ <= slots_.size() / 4) resize(slots_.size() / 2);
    }
    void resize(std::size_t slots) {
        std::vector<T> block(slots);
        for (std::size_t i = 0; i < size_; ++i) block[i] = std::move((*this)[i]);
        slots_ = std::move(block);
        head_ = 0;
    }

    std::vector<T> slots_;  // a power of two
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

}  // namespace quorate
