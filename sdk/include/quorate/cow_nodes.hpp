#pragma once

// The nodes of CowMap: counted, shared between copies, destroyed little by little.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {
namespace detail {

template <class K, class V>
struct CowNodes {
    static constexpr std::size_t leaf_max = 32;
    static constexpr std::size_t inner_max = 64;

    enum class What : std::uint8_t { entry, leaf, inner };
    struct Object;
    struct Entry;
    struct Node;
    struct Leaf;
    struct Inner;

    // Where objects go when their last reference goes, and from where maps that change destroy
    // them, a few per change. So dropping a view is quick on any thread and never hands the
    // allocator a hundred thousand pieces at once, which it would sort out in the middle of a later
    // apply (20 ms were measured). Shared by all copies of a map. Thread: any.
    class Recycler {
     public:
        ~Recycler() {
            while (Object* dead = take_all()) {
                while (dead != nullptr) destroy(std::exchange(dead, dead->next));
            }
        }
        void put(Object* dead) noexcept {
            dead->next = head_.load(std::memory_order_relaxed);
            while (!head_.compare_exchange_weak(dead->next, dead, std::memory_order_release,
                                                std::memory_order_relaxed)) {
            }
        }
        Object* take_all() noexcept {
            if (head_.load(std::memory_order_relaxed) == nullptr) return nullptr;
            return head_.exchange(nullptr, std::memory_order_acquire);
        }
        // What it refers to may come to the recycler next: deep trees do not recurse.
        static void destroy(Object* dead) noexcept {
            switch (dead->what) {
                case What::entry:
                    delete static_cast<Entry*>(dead);
                    break;
                case What::leaf:
                    delete static_cast<Leaf*>(dead);
                    break;
                case What::inner:
                    delete static_cast<Inner*>(dead);
                    break;
            }
        }

     private:
        std::atomic<Object*> head_{nullptr};
    };

    // A counted reference. Whoever holds the only reference to an object, and to all objects above
    // it, may change it. Never null but in an empty map's root, or when moved from.
    template <class T>
    class Ref {
     public:
        Ref() = default;
        explicit Ref(T* fresh) : object_(fresh) {}
        Ref(const Ref& other) noexcept : object_(other.object_) {
            if (object_ != nullptr) object_->references.fetch_add(1, std::memory_order_relaxed);
        }
        Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
        Ref& operator=(Ref other) noexcept {
            std::swap(object_, other.object_);
            return *this;
        }
        ~Ref() {
            if (object_ != nullptr &&
                object_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
                object_->home->put(object_);
            }
        }
        explicit operator bool() const { return object_ != nullptr; }
        T& operator*() const { return *object_; }
        T* operator->() const { return object_; }
        // Acquire pairs with the release of the last other owner, whose reads are then over.
        bool is_shared() const { return object_->references.load(std::memory_order_acquire) != 1; }

     private:
        T* object_ = nullptr;
    };

    class NodeRef : public Ref<Node> {
     public:
        using Ref<Node>::Ref;
        bool is_leaf() const { return (*this)->what == What::leaf; }
        std::size_t keys() const { return (*this)->keys; }
        std::size_t slots() const {
            return is_leaf() ? leaf().entries.size() : inner().children.size();
        }
        const Leaf& leaf() const { return static_cast<const Leaf&>(**this); }
        const Inner& inner() const { return static_cast<const Inner&>(**this); }
        // The node for change: copied first if anyone else refers to it.
        Leaf& own_leaf() {
            if (this->is_shared()) *this = NodeRef(new Leaf(leaf()));
            return static_cast<Leaf&>(**this);
        }
        Inner& own_inner() {
            if (this->is_shared()) *this = NodeRef(new Inner(inner()));
            return static_cast<Inner&>(**this);
        }
    };

    struct Object {
        Object(What kind, Recycler* recycler) : what(kind), home(recycler) {}
        std::atomic<std::uint32_t> references{1};
        const What what;
        Recycler* const home;
        Object* next = nullptr;  // in the recycler
    };
    // Leaves share entries: copying a leaf copies no keys or values, so a view costs memory for
    // what changes and not for what stands beside it.
    struct Entry : Object {
        Entry(Recycler* recycler, K key, V value)
            : Object(What::entry, recycler), pair(std::move(key), std::move(value)) {}
        std::pair<K, V> pair;
    };
    struct Node : Object {
        using Object::Object;
        Node(const Node& other) : Object(other.what, other.home), keys(other.keys) {}
        std::size_t keys = 0;  // in the whole subtree
    };
    struct Leaf : Node {
        explicit Leaf(Recycler* recycler) : Node(What::leaf, recycler) {
            entries.reserve(leaf_max + 1);
        }
        Leaf(const Leaf& other) : Node(other) {
            entries.reserve(leaf_max + 1);
            entries.insert(entries.end(), other.entries.begin(), other.entries.end());
        }
        std::vector<Ref<Entry>> entries;
    };
    struct Inner : Node {
        explicit Inner(Recycler* recycler) : Node(What::inner, recycler) { reserve(); }
        Inner(const Inner& other) : Node(other) {
            reserve();
            children.insert(children.end(), other.children.begin(), other.children.end());
            separators.insert(separators.end(), other.separators.begin(), other.separators.end());
        }
        void reserve() {
            children.reserve(inner_max + 1);
            separators.reserve(inner_max + 1);
        }
        std::vector<NodeRef> children;
        std::vector<K> separators;  // [i] stands between children i and i + 1
    };
};

}  // namespace detail
}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
