#include "host/machine/elf_note.hpp"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <limits>
#include <optional>
#include <type_traits>

namespace quorate::machine {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half host_processor = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half host_processor = EM_AARCH64;
#else
#error "the plugin ABI is defined for 64-bit little-endian processors"
#endif

constexpr std::uint64_t max_name_bytes = 64 * 1024;  // a longer symbol name is damage
constexpr std::uint64_t max_segments = 128;          // linkers make about ten

Error truncated(std::string_view what) {
    return fail(Errc::plugin_truncated, std::string(what) + " lies beyond the end of the file");
}

Error damaged(std::string_view what) {
    return fail(Errc::plugin_not_a_plugin, "its ELF headers are damaged: " + std::string(what));
}

// A file's bytes, or a part of them, with reads that cannot leave it.
class Window {
 public:
    explicit Window(ByteView bytes) : bytes_(bytes) {}

    std::uint64_t size() const { return bytes_.size(); }

    bool holds(std::uint64_t offset, std::uint64_t count) const {
        return offset <= bytes_.size() && count <= bytes_.size() - offset;
    }

    std::optional<ByteView> part(std::uint64_t offset, std::uint64_t count) const {
        if (!holds(offset, count)) return std::nullopt;
        return bytes_.subspan(offset, count);
    }

    template <class T>
    std::optional<T> read(std::uint64_t offset) const {
        static_assert(std::is_trivially_copyable_v<T>);
        if (!holds(offset, sizeof(T))) return std::nullopt;
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof(T));
        return value;
    }

    // The element at `index` of an array that begins at `offset`.
    template <class T>
    std::optional<T> element(std::uint64_t offset, std::uint64_t index) const {
        if (index > (std::numeric_limits<std::uint64_t>::max() - offset) / sizeof(T)) {
            return std::nullopt;
        }
        return read<T>(offset + index * sizeof(T));
    }

 private:
    ByteView bytes_;
};

// The string table. Names may overlap in it, so a hostile file could name far more text than it
// holds: all names together may have `budget` bytes.
class Strings {
 public:
    Strings(ByteView table, std::uint64_t budget) : table_(table), budget_(budget) {}

    // The NUL-terminated text at `offset`.
    std::optional<std::string> at(std::uint64_t offset) {
        if (offset >= table_.size()) return std::nullopt;
        std::uint64_t most = std::min({max_name_bytes, table_.size() - offset, budget_});
        std::string_view rest = as_text(table_.subspan(offset, most));
        std::size_t end = rest.find('\0');
        if (end == rest.npos) return std::nullopt;
        budget_ -= end;
        return std::string(rest.substr(0, end));
    }

 private:
    ByteView table_;
    std::uint64_t budget_;
};

Result<Elf64_Ehdr> read_header(const Window& file) {
    auto magic = file.part(0, SELFMAG);
    if (!magic || std::memcmp(magic->data(), ELFMAG, SELFMAG) != 0) {
        return fail(Errc::plugin_not_a_plugin, "it is not a shared library: no ELF header");
    }
    auto header = file.read<Elf64_Ehdr>(0);
    if (!header) return truncated("the ELF header");
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != host_processor) {
        return fail(Errc::plugin_abi,
                    "it is built for another processor: ELF class " +
                        std::to_string(header->e_ident[EI_CLASS]) + ", machine " +
                        std::to_string(header->e_machine) +
                        ", but this host needs class 2, machine " + std::to_string(host_processor),
                    "build the plugin for this host's processor");
    }
    if (header->e_type != ET_DYN) {
        return fail(Errc::plugin_not_a_plugin, "it is an ELF file, but not a shared library");
    }
    if (header->e_phnum == 0 || header->e_phnum > max_segments ||
        header->e_phentsize != sizeof(Elf64_Phdr)) {
        return damaged("no program headers of a known size and number");
    }
    return *header;
}

// Linkers put the section headers last, so a file that was cut anywhere has lost part of them, and
// a copy that broke off in a preallocated file has zeros there. They are not used for anything else.
Result<void> check_sections(const Window& file, const Elf64_Ehdr& header) {
    if (header.e_shoff == 0) return {};  // stripped of them
    if (header.e_shentsize != sizeof(Elf64_Shdr)) return damaged("section headers of another size");
    for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
        auto section = file.element<Elf64_Shdr>(header.e_shoff, i);
        if (!section) return truncated("its section table");
        if (section->sh_type != SHT_NOBITS && !file.holds(section->sh_offset, section->sh_size)) {
            return truncated("section " + std::to_string(i));
        }
        bool names = i == header.e_shstrndx && i != SHN_UNDEF;
        // Only the first section has no type.
        if (i != 0 && (section->sh_type == SHT_NULL || (names && section->sh_type != SHT_STRTAB))) {
            return fail(Errc::plugin_truncated, "the end of the file is not there, or is zeros");
        }
    }
    return {};
}

Result<std::vector<Elf64_Phdr>> read_segments(const Window& file, const Elf64_Ehdr& header) {
    std::vector<Elf64_Phdr> segments;
    for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
        auto segment = file.element<Elf64_Phdr>(header.e_phoff, i);
        if (!segment) return truncated("its program headers");
        if (!file.holds(segment->p_offset, segment->p_filesz)) {
            return truncated("segment " + std::to_string(i));
        }
        segments.push_back(*segment);
    }
    return segments;
}

constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
    return (value + alignment - 1) / alignment * alignment;
}

// Adds to `found` the descriptors of one PT_NOTE segment's notes that are of the kind sought.
Result<void> collect_notes(const Window& segment, std::uint64_t alignment, NoteKind kind,
                           std::vector<ByteView>& found) {
    for (std::uint64_t at = 0; segment.holds(at, sizeof(Elf64_Nhdr));) {
        auto note = *segment.read<Elf64_Nhdr>(at);
        std::uint64_t name_at = at + sizeof(Elf64_Nhdr);
        std::uint64_t text_at = align_up(name_at + note.n_namesz, alignment);
        auto name = segment.part(name_at, note.n_namesz);
        auto text = segment.part(text_at, note.n_descsz);
        if (!name || !text) return damaged("a note is longer than its segment");
        // The name's size counts its final NUL.
        if (note.n_type == kind.type && note.n_namesz == kind.name.size() + 1 &&
            as_text(name->first(kind.name.size())) == kind.name) {
            found.push_back(*text);
        }
        at = align_up(text_at + note.n_descsz, alignment);
    }
    return {};
}

Result<std::string> read_manifest(const Window& file, const std::vector<Elf64_Phdr>& segments,
                                  NoteKind kind) {
    std::vector<ByteView> found;
    for (const Elf64_Phdr& segment : segments) {
        if (segment.p_type != PT_NOTE) continue;
        Window notes(*file.part(segment.p_offset, segment.p_filesz));
        TRY_VOID(collect_notes(notes, segment.p_align == 8 ? 8 : 4, kind, found));
    }
    if (found.empty()) {
        return fail(Errc::plugin_not_a_plugin, "it is a shared library without a manifest note");
    }
    if (found.size() > 1) {
        return fail(Errc::plugin_not_a_plugin,
                    "it has " + std::to_string(found.size()) + " manifest notes, not one");
    }
    std::string_view text = as_text(found.front());
    while (text.ends_with('\0')) text.remove_suffix(1);
    return std::string(text);
}

// Where in the file the bytes of a virtual address lie.
std::optional<std::uint64_t> file_offset(const std::vector<Elf64_Phdr>& segments,
                                         std::uint64_t address) {
    for (const Elf64_Phdr& segment : segments) {
        if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
        std::uint64_t within = address - segment.p_vaddr;
        if (within < segment.p_filesz) return segment.p_offset + within;
    }
    return std::nullopt;
}

// The dynamic section: what the dynamic linker goes by. Offsets are in the file; 0 is absent.
struct Dynamic {
    std::vector<std::uint64_t> needed;  // offsets into the string table
    std::uint64_t strings = 0;
    std::uint64_t string_bytes = 0;
    std::uint64_t symbols = 0;
    std::uint64_t hash = 0;
    std::uint64_t gnu_hash = 0;
};

std::uint64_t* address_field(Dynamic& dynamic, Elf64_Sxword tag) {
    switch (tag) {
        case DT_STRTAB:
            return &dynamic.strings;
        case DT_SYMTAB:
            return &dynamic.symbols;
        case DT_HASH:
            return &dynamic.hash;
        case DT_GNU_HASH:
            return &dynamic.gnu_hash;
        default:
            return nullptr;
    }
}

Result<Dynamic> read_dynamic(const Window& file, const std::vector<Elf64_Phdr>& segments) {
    auto at = std::ranges::find(segments, Elf64_Word{PT_DYNAMIC}, &Elf64_Phdr::p_type);
    if (at == segments.end()) return damaged("no dynamic section");
    Window section(*file.part(at->p_offset, at->p_filesz));
    Dynamic dynamic;
    for (std::uint64_t i = 0;; ++i) {
        auto entry = section.element<Elf64_Dyn>(0, i);
        if (!entry) return damaged("the dynamic section has no end");
        if (entry->d_tag == DT_NULL) break;
        if (entry->d_tag == DT_NEEDED) dynamic.needed.push_back(entry->d_un.d_val);
        if (entry->d_tag == DT_STRSZ) dynamic.string_bytes = entry->d_un.d_val;
        std::uint64_t* field = address_field(dynamic, entry->d_tag);
        if (field == nullptr) continue;
        auto offset = file_offset(segments, entry->d_un.d_ptr);
        if (!offset) return damaged("the dynamic section points outside of the file");
        *field = *offset;
    }
    if (dynamic.strings == 0 || dynamic.symbols == 0) return damaged("no dynamic symbol table");
    if (!file.holds(dynamic.strings, dynamic.string_bytes)) return truncated("its string table");
    return dynamic;
}

// The GNU hash table gives no count: the last symbol is the end of the chain that begins last.
std::optional<std::uint64_t> count_by_gnu_hash(const Window& file, std::uint64_t table) {
    auto buckets = file.element<std::uint32_t>(table, 0);
    auto first_hashed = file.element<std::uint32_t>(table, 1);
    auto bloom_words = file.element<std::uint32_t>(table, 2);
    if (!buckets || !first_hashed || !bloom_words) return std::nullopt;
    std::uint64_t bucket_at = table + 16 + std::uint64_t{*bloom_words} * 8;
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < *buckets; ++i) {
        auto bucket = file.element<std::uint32_t>(bucket_at, i);
        if (!bucket) return std::nullopt;
        last = std::max<std::uint64_t>(last, *bucket);
    }
    if (last < *first_hashed) return *first_hashed;  // nothing is hashed: only imports
    std::uint64_t chain_at = bucket_at + std::uint64_t{*buckets} * 4;
    for (;; ++last) {
        auto hash = file.element<std::uint32_t>(chain_at, last - *first_hashed);
        if (!hash) return std::nullopt;
        if ((*hash & 1) != 0) return last + 1;
    }
}

std::optional<std::uint64_t> symbol_count(const Window& file, const Dynamic& dynamic) {
    if (dynamic.hash != 0) {
        auto chains = file.element<std::uint32_t>(dynamic.hash, 1);
        if (!chains) return std::nullopt;
        return *chains;
    }
    if (dynamic.gnu_hash != 0) return count_by_gnu_hash(file, dynamic.gnu_hash);
    return std::nullopt;
}

bool is_exported(const Elf64_Sym& symbol) {
    unsigned binding = ELF64_ST_BIND(symbol.st_info);
    unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    // The names of symbol versions stand in the table as absolute symbols.
    return symbol.st_shndx != SHN_UNDEF && symbol.st_shndx != SHN_ABS &&
           (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
           (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

Result<void> read_exports(const Window& file, const Dynamic& dynamic, Strings& strings,
                          ElfSummary& summary) {
    auto count = symbol_count(file, dynamic);
    if (!count) return damaged("the number of dynamic symbols cannot be told");
    if (*count > file.size() / sizeof(Elf64_Sym)) return truncated("its dynamic symbol table");
    for (std::uint64_t i = 1; i < *count; ++i) {
        auto symbol = file.element<Elf64_Sym>(dynamic.symbols, i);
        if (!symbol) return truncated("its dynamic symbol table");
        if (!is_exported(*symbol)) continue;
        auto name = strings.at(symbol->st_name);
        if (!name) return damaged("a symbol's name lies outside of the string table");
        if (ELF64_ST_BIND(symbol->st_info) == STB_GNU_UNIQUE) summary.unique.push_back(*name);
        summary.exports.push_back(*std::move(name));
    }
    std::ranges::sort(summary.exports);
    std::ranges::sort(summary.unique);
    return {};
}

}  // namespace

Result<ElfSummary> read_elf(ByteView bytes, NoteKind note) {
    Window file(bytes);
    TRY(Elf64_Ehdr header, read_header(file));
    TRY_VOID(check_sections(file, header));
    TRY(std::vector<Elf64_Phdr> segments, read_segments(file, header));
    ElfSummary summary;
    TRY(summary.manifest, read_manifest(file, segments, note));
    TRY(Dynamic dynamic, read_dynamic(file, segments));
    Strings strings(*file.part(dynamic.strings, dynamic.string_bytes), 8 * file.size());
    for (std::uint64_t offset : dynamic.needed) {
        auto name = strings.at(offset);
        if (!name) return damaged("a needed library's name lies outside of the string table");
        summary.needed.push_back(*std::move(name));
    }
    TRY_VOID(read_exports(file, dynamic, strings, summary));
    return summary;
}

}  // namespace quorate::machine
