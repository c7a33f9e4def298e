#include "core/models/safetensors.h"

#include <cstring>
#include <limits>
#include <set>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/models/memory_map.h"

namespace calibench {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit
constexpr int kMaxHeaderDepth = 3;                 // header > tensor > shape

const std::map<std::string, at::ScalarType>& scalar_types() {
    static const std::map<std::string, at::ScalarType> types = {
        {"F64", at::kDouble},  {"F32", at::kFloat}, {"F16", at::kHalf},  {"BF16", at::kBFloat16},
        {"I64", at::kLong},    {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},
        {"U64", at::kUInt64},  {"U32", at::kUInt32}, {"U16", at::kUInt16}, {"U8", at::kByte},
        {"BOOL", at::kBool},   {"F8_E4M3", at::kFloat8_e4m3fn}, {"F8_E5M2", at::kFloat8_e5m2}, {"F8_E8M0", at::kFloat8_e8m0fnu},
    };
    return types;
}

/// Bytes of a tensor, or nothing when they do not fit an int64. Zero dimensions count as one for the check, since strides
/// multiply the other dimensions all the same.
std::optional<uint64_t> byte_size(const std::vector<int64_t>& shape, uint64_t item_size) {
    uint64_t bound = item_size;
    uint64_t size = item_size;
    for (int64_t dim : shape) {
        const auto extent = static_cast<uint64_t>(dim);
        if (__builtin_mul_overflow(bound, std::max<uint64_t>(extent, 1), &bound) ||
            bound > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
            return std::nullopt;
        size *= extent;
    }
    return size;
}

/// Reads and checks the JSON header of one file.
class HeaderParser {
public:
    HeaderParser(const fs::path& path, uint64_t data_bytes) : path_(path), data_bytes_(data_bytes) {}

    void parse(const char* begin, const char* end) {
        const json header = parse_json(begin, end);
        if (!header.is_object()) throw InputError(concat(path_.string(), ": the header is not a JSON object; the file is damaged."));
        for (const auto& [name, value] : header.items()) {
            if (name == "__metadata__") parse_metadata(value);
            else entries.emplace(name, parse_entry(name, value));
        }
        check_layout();
    }

    std::map<std::string, SafetensorsFile::Entry> entries;
    std::map<std::string, std::string> metadata;

private:
    json parse_json(const char* begin, const char* end) {
        std::set<std::string> names;
        // nlohmann keeps the last of two equal keys, so duplicates have to be seen while parsing.
        const auto watch = [&](int depth, json::parse_event_t event, json& value) {
            if (depth > kMaxHeaderDepth) throw InputError(concat(path_.string(), ": the header is nested too deeply."));
            if (event == json::parse_event_t::key && depth == 1 && !names.insert(value.get<std::string>()).second)
                fail(value.get<std::string>(), "appears twice in the header");
            return true;
        };
        try {
            return json::parse(begin, end, watch);
        } catch (const json::exception&) {
            throw InputError(concat(path_.string(), ": the header is not valid JSON; the file is damaged or no safetensors file."));
        }
    }

    void parse_metadata(const json& value) {
        if (!value.is_object()) throw InputError(concat(path_.string(), ": __metadata__ is not a JSON object."));
        for (const auto& [key, text] : value.items()) {
            if (!text.is_string()) throw InputError(concat(path_.string(), ": __metadata__ holds something else than text."));
            metadata.emplace(key, text.get<std::string>());
        }
    }

    SafetensorsFile::Entry parse_entry(const std::string& name, const json& value) const {
        const auto field = [&](const char* key) -> const json& {
            if (!value.is_object() || !value.contains(key)) fail(name, concat("has no ", key));
            return value.at(key);
        };
        SafetensorsFile::Entry entry;
        const json& dtype = field("dtype");
        if (!dtype.is_string()) fail(name, "has a dtype that is no text");
        entry.dtype = dtype.get<std::string>();
        const auto type = scalar_types().find(entry.dtype);
        if (type == scalar_types().end()) fail(name, concat("has the dtype ", quoted_name(entry.dtype), ", which Calibench does not read"));

        const json& shape = field("shape");
        if (!shape.is_array()) fail(name, "has a shape that is no list");
        for (const json& dim : shape) entry.shape.push_back(static_cast<int64_t>(natural_number(name, dim, "shape")));

        const json& offsets = field("data_offsets");
        if (!offsets.is_array() || offsets.size() != 2) fail(name, "has data_offsets that are no pair of numbers");
        entry.begin = natural_number(name, offsets[0], "data_offsets");
        entry.end = natural_number(name, offsets[1], "data_offsets");
        if (entry.begin > entry.end) fail(name, "ends before it begins");
        if (entry.end > data_bytes_)
            fail(name, concat("ends at byte ", entry.end, " of the data, but the file holds only ", data_bytes_,
                              "; it is truncated, download it again"));

        const auto size = byte_size(entry.shape, c10::elementSize(type->second));
        if (!size) fail(name, "has a shape too large for any file");
        if (*size != entry.end - entry.begin)
            fail(name, concat("needs ", *size, " bytes for its shape and dtype, but has ", entry.end - entry.begin));
        return entry;
    }

    uint64_t natural_number(const std::string& name, const json& value, const char* key) const {
        if (!value.is_number_unsigned() || value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
            fail(name, concat("has something else than a non-negative whole number in its ", key));
        return value.get<uint64_t>();
    }

    void check_layout() const {
        std::vector<std::pair<const std::string*, const SafetensorsFile::Entry*>> by_offset;
        for (const auto& [name, entry] : entries) by_offset.emplace_back(&name, &entry);
        std::sort(by_offset.begin(), by_offset.end(), [](const auto& a, const auto& b) {
            return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
        });
        uint64_t expected = 0;
        for (const auto& [name, entry] : by_offset) {
            if (entry->begin < expected) fail(*name, "overlaps the tensor before it");
            if (entry->begin > expected) fail(*name, "follows a gap in the data");
            expected = entry->end;
        }
        if (expected != data_bytes_)
            throw InputError(concat(path_.string(), ": ", data_bytes_ - expected,
                                    " bytes after the last tensor belong to none; the file is damaged."));
    }

    [[noreturn]] void fail(const std::string& name, const std::string& problem) const {
        throw InputError(concat(path_.string(), ": tensor ", quoted_name(name), " ", problem, "."));
    }

    const fs::path& path_;
    uint64_t data_bytes_;
};

}  // namespace

struct SafetensorsFile::Mapping {
    explicit Mapping(const fs::path& file) : path(file), map(file) {
        if (map.size() < kLengthBytes)
            throw InputError(concat(path.string(), ": ", map.size(), " bytes are too short for a safetensors file."));
        uint64_t header_bytes = 0;
        for (uint64_t i = kLengthBytes; i-- > 0;) header_bytes = header_bytes << 8 | static_cast<unsigned char>(map.bytes()[i]);
        if (header_bytes > kMaxHeaderBytes)
            throw InputError(concat(path.string(), ": a header of ", header_bytes,
                                    " bytes is beyond all measure; this is no safetensors file."));
        if (header_bytes > map.size() - kLengthBytes)
            throw InputError(concat(path.string(), ": the header should have ", header_bytes,
                                    " bytes, but the file ends before; it is truncated."));
        const char* header_begin = map.bytes() + kLengthBytes;
        data = header_begin + header_bytes;
        HeaderParser header(path, map.size() - kLengthBytes - header_bytes);
        header.parse(header_begin, data);
        entries = std::move(header.entries);
        metadata = std::move(header.metadata);
    }

    fs::path path;
    MemoryMap map;
    const char* data = nullptr;  ///< the data section
    std::map<std::string, Entry> entries;
    std::map<std::string, std::string> metadata;
};

bool SafetensorsFile::Entry::is_floating_point() const { return at::isFloatingType(scalar_types().at(dtype)); }

std::string quoted_name(const std::string& name) {
    constexpr size_t longest = 120;
    return concat('"', name.size() <= longest ? name : name.substr(0, longest) + "...", '"');
}

SafetensorsFile::SafetensorsFile(const fs::path& path) : mapping_(std::make_shared<const Mapping>(path)) {}
SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const fs::path& SafetensorsFile::path() const { return mapping_->path; }
const std::map<std::string, SafetensorsFile::Entry>& SafetensorsFile::entries() const { return mapping_->entries; }
const std::map<std::string, std::string>& SafetensorsFile::metadata() const { return mapping_->metadata; }

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
    const auto found = mapping_->entries.find(name);
    if (found == mapping_->entries.end()) throw InputError(concat(path().string(), " has no tensor ", quoted_name(name), "."));
    const Entry& entry = found->second;
    const at::ScalarType type = scalar_types().at(entry.dtype);
    const char* begin = mapping_->data + entry.begin;

    if (reinterpret_cast<uintptr_t>(begin) % c10::elementSize(type) != 0) {
        at::Tensor copy = at::empty(entry.shape, type);
        std::memcpy(copy.data_ptr(), begin, entry.end - entry.begin);
        return copy;
    }
    // A byte other than 0 and 1 is no valid bool to a compiler, so bools are made from bytes instead of seen through.
    const at::ScalarType viewed = type == at::kBool ? at::kByte : type;
    at::Tensor view = at::from_blob(const_cast<char*>(begin), entry.shape, [keep = mapping_](void*) {}, at::TensorOptions(viewed));
    return type == at::kBool ? view.ne(0) : view;
}

void SafetensorsFile::release(const std::string& name) const {
    const auto found = mapping_->entries.find(name);
    if (found == mapping_->entries.end()) return;
    // Only pages that are the tensor's alone: its neighbours may be in use.
    MemoryMap::drop_pages(mapping_->data + found->second.begin, mapping_->data + found->second.end);
}

}  // namespace calibench
