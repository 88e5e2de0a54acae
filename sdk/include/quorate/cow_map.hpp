#pragma once

// An ordered map whose copies cost nothing: a persistent B+ tree. A copy shares all nodes; a change
// copies the nodes on its path that are shared, and works in place on those that are not. So a
// machine that keeps its state in a CowMap gives a view in well under a microsecond at any size,
// and pays for it with a few copied nodes per changed key while the view lives.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <quorate/cow_nodes.hpp>
#include <utility>
#include <vector>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {

// Keys and values are copyable. Iteration is in key order, so what it writes depends on the content
// alone, never on history. All operations but clear(), destruction and iteration are O(log n).
// Thread: each CowMap object belongs to one thread at a time, as any container; several threads may
// read, change and destroy different copies at the same time. Exceptions (of allocation,
// comparison, or copying) leave a map that can be destroyed; copies are never affected.
// Invariant: all leaves have the same depth; no node holds more than its maximum of slots, and none
// but the root and the last of each level fewer than a quarter of it; the separator left of a child
// is not above any key under it and is above every key to its left.
template <class K, class V, class Less = std::less<>>
class CowMap {
    using Nodes = detail::CowNodes<K, V>;
    using Recycler = typename Nodes::Recycler;
    using Object = typename Nodes::Object;
    using Entry = typename Nodes::Entry;
    using Leaf = typename Nodes::Leaf;
    using Inner = typename Nodes::Inner;
    using NodeRef = typename Nodes::NodeRef;
    using EntryRef = typename Nodes::template Ref<Entry>;
    static constexpr std::size_t leaf_max = Nodes::leaf_max;
    static constexpr std::size_t inner_max = Nodes::inner_max;
    static constexpr std::size_t depth_max = 16;    // more than 64-bit sizes can need
    static constexpr int collected_per_change = 4;  // a change makes fewer objects superfluous

    struct Split {
        K separator;
        NodeRef right;
    };

 public:
    using value_type = std::pair<K, V>;
    class Iterator;

    CowMap() = default;
    CowMap(const CowMap&) = default;
    CowMap(CowMap&&) noexcept = default;
    CowMap& operator=(CowMap other) noexcept {
        std::swap(recycler_, other.recycler_);
        std::swap(root_, other.root_);
        std::swap(garbage_.list, other.garbage_.list);
        return *this;
    }
    ~CowMap() = default;

    std::size_t size() const { return root_ ? root_.keys() : 0; }
    bool empty() const { return size() == 0; }
    void clear() { root_ = NodeRef(); }

    // The value, or null. Valid until this map changes.
    template <class Key>
    const V* find(const Key& key) const {
        const NodeRef* node = &root_;
        if (!root_) return nullptr;
        while (!node->is_leaf()) node = &node->inner().children[child_of(node->inner(), key)];
        const Leaf& leaf = node->leaf();
        std::size_t at = lower(leaf, key);
        return holds(leaf, at, key) ? &leaf.entries[at]->pair.second : nullptr;
    }
    template <class Key>
    bool contains(const Key& key) const {
        return find(key) != nullptr;
    }

    // Stores the value; true if the key is new.
    bool put(K key, V value) {
        collect();
        if (!root_) root_ = NodeRef(new Leaf(recycler()));
        bool is_new = false;
        std::optional<Split> split = put_under(root_, std::move(key), std::move(value), is_new);
        if (split) grow(std::move(*split));
        return is_new;
    }

    // True if the key was there.
    template <class Key>
    bool erase(const Key& key) {
        collect();
        if (!contains(key)) return false;  // so that a miss copies nothing
        erase_under(root_, key);
        while (root_ && !root_.is_leaf() && root_.slots() == 1)
            root_ = NodeRef(root_.inner().children[0]);
        if (root_.slots() == 0) root_ = NodeRef();
        return true;
    }

    Iterator begin() const { return Iterator(root_); }
    Iterator end() const { return Iterator(); }
    // The first entry not below the key.
    template <class Key>
    Iterator lower_bound(const Key& key) const {
        return Iterator(root_, key, *this);
    }
    // How many keys are below the key.
    template <class Key>
    std::size_t rank(const Key& key) const {
        std::size_t below = 0;
        if (!root_) return 0;
        const NodeRef* node = &root_;
        while (!node->is_leaf()) {
            const Inner& inner = node->inner();
            std::size_t child = child_of(inner, key);
            for (std::size_t i = 0; i < child; ++i) below += inner.children[i].keys();
            node = &inner.children[child];
        }
        return below + lower(node->leaf(), key);
    }

    friend bool operator==(const CowMap& a, const CowMap& b) {
        if (a.size() != b.size()) return false;
        Iterator other = b.begin();
        for (const value_type& entry : a) {
            if (!(entry == *other)) return false;
            ++other;
        }
        return true;
    }

    // Walks in key order. Valid until its map changes or ends.
    class Iterator {
     public:
        using value_type = std::pair<K, V>;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::forward_iterator_tag;
        using reference = const value_type&;
        using pointer = const value_type*;

        Iterator() = default;
        reference operator*() const { return leaf_->entries[at_]->pair; }
        pointer operator->() const { return &leaf_->entries[at_]->pair; }
        Iterator& operator++() {
            ++at_;
            if (at_ == leaf_->entries.size()) next_leaf();
            return *this;
        }
        Iterator operator++(int) {
            Iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const Iterator& a, const Iterator& b) {
            return a.leaf_ == b.leaf_ && a.at_ == b.at_;
        }

     private:
        friend class CowMap;
        struct Step {
            const Inner* inner;
            std::size_t child;
        };

        explicit Iterator(const NodeRef& root) {
            if (root) descend(root);
        }
        template <class Key>
        Iterator(const NodeRef& root, const Key& key, const CowMap& map) {
            if (!root) return;
            const NodeRef* node = &root;
            while (!node->is_leaf()) {
                std::size_t child = map.child_of(node->inner(), key);
                path_[depth_++] = {&node->inner(), child};
                node = &node->inner().children[child];
            }
            leaf_ = &node->leaf();
            at_ = map.lower(*leaf_, key);
            if (at_ == leaf_->entries.size()) next_leaf();
        }
        void descend(const NodeRef& top) {
            const NodeRef* node = &top;
            while (!node->is_leaf()) {
                path_[depth_++] = {&node->inner(), 0};
                node = &node->inner().children[0];
            }
            leaf_ = &node->leaf();
            at_ = 0;
        }
        void next_leaf() {
            while (depth_ > 0 &&
                   path_[depth_ - 1].child + 1 == path_[depth_ - 1].inner->children.size()) {
                --depth_;
            }
            if (depth_ == 0) {
                leaf_ = nullptr;
                at_ = 0;
                return;
            }
            Step& step = path_[depth_ - 1];
            descend(step.inner->children[++step.child]);
        }

        const Leaf* leaf_ = nullptr;
        std::size_t at_ = 0;
        std::size_t depth_ = 0;
        Step path_[depth_max] = {};
    };

 private:
    // The child of `inner` under which the key belongs.
    template <class Key>
    std::size_t child_of(const Inner& inner, const Key& key) const {
        std::size_t low = 0;
        std::size_t high = inner.separators.size();
        while (low < high) {
            std::size_t middle = (low + high) / 2;
            if (less_(key, inner.separators[middle]))
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }
    // The first entry of the leaf that is not below the key.
    template <class Key>
    std::size_t lower(const Leaf& leaf, const Key& key) const {
        std::size_t low = 0;
        std::size_t high = leaf.entries.size();
        while (low < high) {
            std::size_t middle = (low + high) / 2;
            if (less_(leaf.entries[middle]->pair.first, key))
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
    template <class Key>
    bool holds(const Leaf& leaf, std::size_t at, const Key& key) const {
        return at < leaf.entries.size() && !less_(key, leaf.entries[at]->pair.first);
    }
    template <class List>
    static auto at(List& list, std::size_t position) {
        return list.begin() + static_cast<std::ptrdiff_t>(position);
    }

    std::optional<Split> put_under(NodeRef& node, K&& key, V&& value, bool& is_new) {
        if (node.is_leaf())
            return put_in_leaf(node.own_leaf(), std::move(key), std::move(value), is_new);
        Inner& inner = node.own_inner();
        std::size_t child = child_of(inner, key);
        std::optional<Split> split =
            put_under(inner.children[child], std::move(key), std::move(value), is_new);
        if (is_new) ++inner.keys;
        if (!split) return std::nullopt;
        inner.separators.insert(at(inner.separators, child), std::move(split->separator));
        inner.children.insert(at(inner.children, child + 1), std::move(split->right));
        if (inner.children.size() <= inner_max) return std::nullopt;
        // Keys that only ever rise (a snapshot being loaded) fill nodes, instead of leaving halves.
        bool at_the_end = child + 2 == inner.children.size();
        return split_inner(inner, at_the_end ? inner_max - 1 : inner.children.size() / 2);
    }

    std::optional<Split> put_in_leaf(Leaf& leaf, K&& key, V&& value, bool& is_new) {
        std::size_t where = lower(leaf, key);
        if (holds(leaf, where, key)) {
            set(leaf.entries[where], std::move(value));
            return std::nullopt;
        }
        is_new = true;
        EntryRef fresh(new Entry(leaf.home, std::move(key), std::move(value)));
        leaf.entries.insert(at(leaf.entries, where), std::move(fresh));
        ++leaf.keys;
        if (leaf.entries.size() <= leaf_max) return std::nullopt;
        bool at_the_end = where + 1 == leaf.entries.size();
        return split_leaf(leaf, at_the_end ? leaf_max : leaf.entries.size() / 2);
    }

    static void set(EntryRef& entry, V&& value) {
        if (entry.is_shared()) {
            entry = EntryRef(new Entry(entry->home, entry->pair.first, std::move(value)));
        } else {
            entry->pair.second = std::move(value);
        }
    }

    // Moves what stands from `where` on into a new right neighbour.
    static Split split_leaf(Leaf& left, std::size_t where) {
        auto right = new Leaf(left.home);
        NodeRef reference(right);
        auto first = at(left.entries, where);
        right->entries.assign(std::move_iterator(first), std::move_iterator(left.entries.end()));
        left.entries.erase(first, left.entries.end());
        right->keys = right->entries.size();
        left.keys = left.entries.size();
        return {right->entries.front()->pair.first, std::move(reference)};
    }
    static Split split_inner(Inner& left, std::size_t where) {
        auto right = new Inner(left.home);
        NodeRef reference(right);
        auto first_child = at(left.children, where);
        auto first_separator = at(left.separators, where - 1);  // goes up
        K separator = std::move(*first_separator);
        right->children.assign(std::move_iterator(first_child),
                               std::move_iterator(left.children.end()));
        right->separators.assign(std::move_iterator(first_separator + 1),
                                 std::move_iterator(left.separators.end()));
        left.children.erase(first_child, left.children.end());
        left.separators.erase(first_separator, left.separators.end());
        for (const NodeRef& child : right->children) right->keys += child.keys();
        left.keys -= right->keys;
        return {std::move(separator), std::move(reference)};
    }

    // The root was split: a new one above both halves.
    void grow(Split split) {
        auto top = new Inner(recycler());
        NodeRef reference(top);
        top->keys = root_.keys() + split.right.keys();
        top->children.push_back(std::move(root_));
        top->children.push_back(std::move(split.right));
        top->separators.push_back(std::move(split.separator));
        root_ = std::move(reference);
    }

    // Pre: the key is there.
    template <class Key>
    void erase_under(NodeRef& node, const Key& key) {
        if (node.is_leaf()) {
            Leaf& leaf = node.own_leaf();
            leaf.entries.erase(at(leaf.entries, lower(leaf, key)));
            --leaf.keys;
            return;
        }
        Inner& inner = node.own_inner();
        std::size_t child = child_of(inner, key);
        erase_under(inner.children[child], key);
        --inner.keys;
        if (inner.children[child].slots() < min_slots(inner.children[child])) refill(inner, child);
    }
    // A quarter full, not half: a map that grows and shrinks around a boundary does not split and
    // join at every step.
    static std::size_t min_slots(const NodeRef& node) {
        return (node.is_leaf() ? leaf_max : inner_max) / 4;
    }

    // Joins a child that has become too small with a neighbour, and halves the result if it is too
    // large.
    void refill(Inner& parent, std::size_t child) {
        if (parent.children.size() == 1) return;  // only the root, which erase() then drops
        std::size_t left = child == 0 ? 0 : child - 1;
        std::size_t separator = left;
        std::optional<Split> split;
        if (parent.children[left].is_leaf()) {
            split = join_leaves(parent.children[left].own_leaf(), parent.children[left + 1]);
        } else {
            split = join_inners(parent.children[left].own_inner(), parent.separators[separator],
                                parent.children[left + 1]);
        }
        if (split) {
            parent.separators[separator] = std::move(split->separator);
            parent.children[left + 1] = std::move(split->right);
        } else {
            parent.separators.erase(at(parent.separators, separator));
            parent.children.erase(at(parent.children, left + 1));
        }
    }
    static std::optional<Split> join_leaves(Leaf& left, NodeRef& right_reference) {
        Leaf& right = right_reference.own_leaf();
        left.entries.insert(left.entries.end(), std::move_iterator(right.entries.begin()),
                            std::move_iterator(right.entries.end()));
        left.keys = left.entries.size();
        if (left.entries.size() <= leaf_max) return std::nullopt;
        return split_leaf(left, left.entries.size() / 2);
    }
    static std::optional<Split> join_inners(Inner& left, const K& separator,
                                            NodeRef& right_reference) {
        Inner& right = right_reference.own_inner();
        left.separators.push_back(separator);
        left.separators.insert(left.separators.end(), std::move_iterator(right.separators.begin()),
                               std::move_iterator(right.separators.end()));
        left.children.insert(left.children.end(), std::move_iterator(right.children.begin()),
                             std::move_iterator(right.children.end()));
        left.keys += right.keys;
        if (left.children.size() <= inner_max) return std::nullopt;
        return split_inner(left, left.children.size() / 2);
    }

    Recycler* recycler() {
        if (!recycler_) recycler_ = std::make_shared<Recycler>();
        return recycler_.get();
    }
    // Destroys a few objects that no copy refers to any more.
    void collect() {
        if (!recycler_) return;
        for (int i = 0; i < collected_per_change; ++i) {
            if (garbage_.list == nullptr) garbage_.list = recycler_->take_all();
            if (garbage_.list == nullptr) return;
            garbage_.destroy_one();
        }
    }

    // Taken from the recycler by this map, which alone destroys it.
    struct Garbage {
        Garbage() = default;
        Garbage(const Garbage&) : list(nullptr) {}
        Garbage(Garbage&& other) noexcept : list(std::exchange(other.list, nullptr)) {}
        Garbage& operator=(const Garbage&) = delete;
        ~Garbage() {
            while (list != nullptr) destroy_one();
        }
        void destroy_one() { Recycler::destroy(std::exchange(list, list->next)); }
        Object* list = nullptr;
    };

    // In this order: what goes goes to the recycler.
    std::shared_ptr<Recycler> recycler_;
    NodeRef root_;
    Garbage garbage_;
    [[no_unique_address]] Less less_{};
};

}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
