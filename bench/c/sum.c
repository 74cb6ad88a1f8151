/* The limit: sums lines `consumer amount` per consumer in memory, in C, and does nothing else.
 *
 *   gcc -O3 -march=native -pthread [-DWIDE] -o sum sum.c
 *   ./sum FILE THREADS [REPEATS]
 *
 * Each run prints the seconds it took, the number of consumers and the total. It takes the same steps as the kernel of the
 * `metering` pipeline (windows of 4 KiB; places of separators, columns of digits, numbers, sums with slots fetched ahead),
 * written for this processor with AVX2. It leaves out what the pipeline needs beside: nothing is validated (each line must
 * be good, with at most eight digits in a number; with WIDE, sixteen in a consumer), no digest is taken, sums end at 64
 * bits, nothing is sorted.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <immintrin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 4096, CHUNK = 1 << 20, BLOCK = 16 << 20, FRONT = 256, BACK = 256, AHEAD = 16 };

typedef struct {
    uint64_t key, sum; /* key + 1; 0 is an empty slot */
} Slot;

typedef struct {
    Slot *slots;
    int bits;
    uint64_t count;
} Table;

typedef struct {
    Table table;
    uint32_t places[WINDOW + 64];
    uint64_t keys[WINDOW / 2 + 64], upper_keys[WINDOW / 2 + 64], amounts[WINDOW / 2 + 64];
    uint8_t buffer[FRONT + CHUNK + BACK];
} Worker;

static int file;
static off_t size;
static atomic_long next_block;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t home(const Table *table, uint64_t key) {
    return (key * 0x9E3779B97F4A7C15ULL) >> (64 - table->bits);
}

static void make(Table *table, int bits) {
    table->bits = bits;
    table->count = 0;
    table->slots = calloc((size_t)1 << bits, sizeof(Slot));
    if (!table->slots) fail("calloc");
}

static void grow(Table *table);

static inline void add(Table *table, uint64_t key, uint64_t amount) {
    Slot *slots = table->slots;
    uint64_t place = home(table, key), mask = ((uint64_t)1 << table->bits) - 1;
    while (slots[place].key != key + 1) {
        if (!slots[place].key) {
            slots[place] = (Slot){key + 1, amount};
            if (++table->count * 4 > (mask + 1) * 3) grow(table);
            return;
        }
        place = (place + 1) & mask;
    }
    slots[place].sum += amount;
}

static void grow(Table *table) {
    Table old = *table;
    make(table, old.bits + 1);
    for (uint64_t i = 0; i < (uint64_t)1 << old.bits; i++)
        if (old.slots[i].key) add(table, old.slots[i].key - 1, old.slots[i].sum);
    free(old.slots);
}

/* The places of all bytes that aren't digits. */
static int find_places(const uint8_t *text, int length, uint32_t *places) {
    const __m256i shift = _mm256_set1_epi8((char)(128 - '0')), nine = _mm256_set1_epi8(-128 + 9);
    int count = 0;
    for (int i = 0; i < length; i += 64) {
        __m256i low = _mm256_loadu_si256((const __m256i *)(text + i));
        __m256i high = _mm256_loadu_si256((const __m256i *)(text + i + 32));
        low = _mm256_cmpgt_epi8(_mm256_add_epi8(low, shift), nine);
        high = _mm256_cmpgt_epi8(_mm256_add_epi8(high, shift), nine);
        uint64_t mask = (uint32_t)_mm256_movemask_epi8(low)
                        | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
        int found = __builtin_popcountll(mask);
        uint32_t *place = places + count;
        for (int lane = 0; lane < 8; lane++, mask &= mask - 1) place[lane] = i + _tzcnt_u64(mask);
        if (found > 8)
            for (int lane = 8; lane < 16; lane++, mask &= mask - 1) place[lane] = i + _tzcnt_u64(mask);
        for (int lane = 16; lane < found; lane++, mask &= mask - 1) place[lane] = i + _tzcnt_u64(mask);
        count += found;
    }
    while (count && places[count - 1] >= (uint32_t)length) count--;
    return count;
}

/* Words of eight digits to numbers. */
static void convert(uint64_t *words, int count) {
    for (int i = 0; i < count; i += 4) {
        __m256i word = _mm256_loadu_si256((__m256i *)(words + i));
        word = _mm256_and_si256(word, _mm256_set1_epi8(15));
        word = _mm256_maddubs_epi16(word, _mm256_set1_epi16(0x010A));
        word = _mm256_madd_epi16(word, _mm256_set1_epi32(0x00010064));
        __m256i upper = _mm256_mul_epu32(word, _mm256_set1_epi64x(10000));
        word = _mm256_add_epi64(upper, _mm256_srli_epi64(word, 32));
        _mm256_storeu_si256((__m256i *)(words + i), word);
    }
}

static uint64_t digits(const uint8_t *text, uint32_t count) {
    uint64_t word;
    memcpy(&word, text, 8);
    return word << (64 - 8 * count);
}

/* Sums the whole lines between two addresses; returns where the next one begins. */
static uint8_t *sum_lines(Worker *me, uint8_t *text, uint8_t *end) {
    for (;;) {
        int length = end - text < WINDOW ? (int)(end - text) : WINDOW;
        int lines = find_places(text, length, me->places) / 2;
        if (!lines) return text;
        uint32_t start = 0;
        for (int i = 0; i < lines; i++) {
            uint32_t space = me->places[2 * i], stop = me->places[2 * i + 1];
#ifdef WIDE
            uint32_t above = space - start > 8 ? space - start - 8 : 0;
            me->upper_keys[i] = above ? digits(text + start, above) : 0;
            start += above;
#endif
            me->keys[i] = digits(text + start, space - start);
            me->amounts[i] = digits(text + space + 1, stop - space - 1);
            start = stop + 1;
        }
        convert(me->keys, lines);
#ifdef WIDE
        convert(me->upper_keys, lines);
        for (int i = 0; i < lines; i++) me->keys[i] += me->upper_keys[i] * 100000000;
#endif
        convert(me->amounts, lines);
        Table *table = &me->table;
        for (int i = 0; i < lines; i++) {
            __builtin_prefetch(table->slots + home(table, me->keys[i + AHEAD]), 1);
            add(table, me->keys[i], me->amounts[i]);
        }
        text += start;
    }
}

static size_t read_at(uint8_t *target, size_t count, off_t offset) {
    size_t done = 0;
    while (done < count) {
        ssize_t got = pread(file, target + done, count - done, offset + done);
        if (got < 0) fail("pread");
        if (!got) break;
        done += got;
    }
    return done;
}

static void sum_block(Worker *me, off_t start, off_t stop) {
    uint8_t *fresh = me->buffer + FRONT, *rest = fresh;
    off_t offset = start;
    uint8_t before;
    int within = start && read_at(&before, 1, start - 1) && before != '\n';
    while (offset < stop) {
        size_t wanted = stop - offset < CHUNK ? stop - offset : CHUNK;
        uint8_t *end = fresh + read_at(fresh, wanted, offset);
        if (within) {
            rest = (uint8_t *)memchr(fresh, '\n', end - fresh) + 1;
            within = 0;
        }
        uint8_t *left = sum_lines(me, rest, end);
        rest = fresh - (end - left);
        memmove(rest, left, end - left);
        offset += wanted;
    }
    if (rest < fresh) {
        size_t got = read_at(fresh, 64, offset);
        uint8_t *feed = got ? memchr(fresh, '\n', got) : NULL;
        if (!feed) *(feed = fresh + got) = '\n';
        sum_lines(me, rest, feed + 1);
    }
}

static void *work(void *worker) {
    for (;;) {
        off_t start = (off_t)atomic_fetch_add(&next_block, 1) * BLOCK;
        if (start >= size) return NULL;
        sum_block(worker, start, size - start < BLOCK ? size : start + BLOCK);
    }
}

static void run(int threads) {
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pthread_t ids[threads];
    Worker *workers[threads];
    next_block = 0;
    for (int i = 0; i < threads; i++) {
        workers[i] = calloc(1, sizeof(Worker));
        if (!workers[i]) fail("calloc");
        make(&workers[i]->table, 12);
        if (pthread_create(&ids[i], NULL, work, workers[i])) fail("pthread_create");
    }
    Table *table = &workers[0]->table;
    uint64_t total = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        Table *other = &workers[i]->table;
        for (uint64_t j = 0; j < (uint64_t)1 << other->bits; j++) {
            if (!other->slots[j].key) continue;
            total += other->slots[j].sum;
            if (i) add(table, other->slots[j].key - 1, other->slots[j].sum);
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.6f %lu %lu\n", end.tv_sec - begin.tv_sec + 1e-9 * (end.tv_nsec - begin.tv_nsec),
           (unsigned long)table->count, (unsigned long)total);
    fflush(stdout);
    for (int i = 0; i < threads; i++) {
        free(workers[i]->table.slots);
        free(workers[i]);
    }
}

int main(int count, char **arguments) {
    if (count < 3) return fprintf(stderr, "usage: sum FILE THREADS [REPEATS]\n"), 2;
    struct stat stat;
    file = open(arguments[1], O_RDONLY);
    if (file < 0 || fstat(file, &stat)) fail(arguments[1]);
    size = stat.st_size;
    for (int i = 0; i < (count > 3 ? atoi(arguments[3]) : 1); i++) run(atoi(arguments[2]));
}
