/* Growing arrays and address tables. All memory is malloc'ed: nothing here touches Python's allocators. */
#ifndef RELIVE_TABLES_H
#define RELIVE_TABLES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* Make room for `wanted` items of `width` bytes; 0 if there is no memory. */
static int
grow(void **items, size_t *room, size_t wanted, size_t width)
{
    if (wanted <= *room) {
        return 1;
    }
    size_t more = *room ? *room + *room / 2 : 1024;
    if (more < wanted) {
        more = wanted;
    }
    void *moved = realloc(*items, more * width);
    if (moved == NULL) {
        return 0;
    }
    *items = moved;
    *room = more;
    return 1;
}

/* From an address to a number: open addressing, numbers given in order. */
typedef struct {
    const void **keys; /* by number */
    size_t keys_room;
    uint32_t *slots;   /* number + 1; 0 is free */
    uint32_t mask;
    uint32_t count;
} Table;

static inline uint32_t
hash_address(const void *key)
{
    uint64_t bits = (uint64_t)(uintptr_t)key >> 4;
    return (uint32_t)((bits * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static int
table_open(Table *table, uint32_t slots)
{
    memset(table, 0, sizeof(*table));
    table->slots = calloc(slots, sizeof(uint32_t));
    table->mask = slots - 1;
    return table->slots != NULL;
}

static void
table_close(Table *table)
{
    free(table->keys);
    free(table->slots);
    memset(table, 0, sizeof(*table));
}

static inline uint32_t
table_find(const Table *table, const void *key)
{
    uint32_t place = hash_address(key) & table->mask;
    uint32_t found;
    while ((found = table->slots[place]) != 0) {
        if (table->keys[found - 1] == key) {
            return found - 1;
        }
        place = (place + 1) & table->mask;
    }
    return NONE;
}

static int
table_rehash(Table *table)
{
    uint32_t slots = (table->mask + 1) * 2;
    uint32_t *fresh = slots ? calloc(slots, sizeof(uint32_t)) : NULL;
    if (fresh == NULL) {
        return 0;
    }
    for (uint32_t number = 0; number < table->count; number++) {
        uint32_t place = hash_address(table->keys[number]) & (slots - 1);
        while (fresh[place]) {
            place = (place + 1) & (slots - 1);
        }
        fresh[place] = number + 1;
    }
    free(table->slots);
    table->slots = fresh;
    table->mask = slots - 1;
    return 1;
}

/* The number of a key that is not in the table yet; NONE if there is no memory. */
static uint32_t
table_add(Table *table, const void *key)
{
    if (table->count >= (table->mask + 1) / 3 * 2 && !table_rehash(table)) {
        return NONE;
    }
    if (!grow((void **)&table->keys, &table->keys_room, (size_t)table->count + 1, sizeof(void *))) {
        return NONE;
    }
    uint32_t place = hash_address(key) & table->mask;
    while (table->slots[place]) {
        place = (place + 1) & table->mask;
    }
    table->keys[table->count] = key;
    table->slots[place] = ++table->count;
    return table->count - 1;
}

/* The order of `count` addresses: numbers, sorted by what `keys` has for them. NULL: no memory. */
static uint32_t *
sorted_numbers(const void **keys, uint32_t count)
{
    uint32_t *order = malloc(((size_t)count + 1) * sizeof(uint32_t));
    uint32_t *other = malloc(((size_t)count + 1) * sizeof(uint32_t));
    uint32_t *starts = malloc(65537 * sizeof(uint32_t));
    if (order == NULL || other == NULL || starts == NULL) {
        free(order);
        free(other);
        free(starts);
        return NULL;
    }
    for (uint32_t number = 0; number < count; number++) {
        order[number] = number;
    }
    for (int shift = 0; shift < 64; shift += 16) {
        memset(starts, 0, 65537 * sizeof(uint32_t));
        for (uint32_t at = 0; at < count; at++) {
            starts[(((uintptr_t)keys[at] >> shift) & 0xFFFF) + 1]++;
        }
        for (uint32_t digit = 0; digit < 65536; digit++) {
            starts[digit + 1] += starts[digit];
        }
        for (uint32_t at = 0; at < count; at++) {
            uint32_t digit = ((uintptr_t)keys[order[at]] >> shift) & 0xFFFF;
            other[starts[digit]++] = order[at];
        }
        uint32_t *swap = order;
        order = other;
        other = swap;
    }
    free(other);
    free(starts);
    return order;
}

#endif
