/* Where things lie. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SALIENCE_DATA_FROM_PROGRAM
#define SALIENCE_DATA_FROM_PROGRAM "../share/salience"
#endif

const char *cli_data(const char *name, char *buf, size_t n)
{
    const char *given = getenv("SALIENCE_DATA");
    char program[CLI_PATH];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

    if (given != NULL && given[0] != '\0') {
        (void)snprintf(buf, n, "%s/%s", given, name);
        return buf;
    }
    program[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(program, '/');
    if (slash != NULL)
        *slash = '\0';
    (void)snprintf(buf, n, "%s/%s/%s", slash == NULL ? "." : program, SALIENCE_DATA_FROM_PROGRAM,
                   name);
    return buf;
}

bool cli_models(char *buf, size_t n)
{
    const char *own = getenv("SALIENCE_HOME"), *data = getenv("XDG_DATA_HOME"),
               *home = getenv("HOME");

    if (own != NULL && own[0] != '\0')
        return snprintf(buf, n, "%s/models", own) < (int)n;
    if (data != NULL && data[0] != '\0')
        return snprintf(buf, n, "%s/salience/models", data) < (int)n;
    if (home != NULL && home[0] != '\0')
        return snprintf(buf, n, "%s/.local/share/salience/models", home) < (int)n;
    return false;
}

bool cli_pulled(const char *name, char *buf, size_t n)
{
    static const char *const endings[] = {"onnx", "gguf"};
    struct stat info;
    char models[CLI_PATH];

    if (strchr(name, '/') != NULL || !cli_models(models, sizeof(models)))
        return false;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        int length = snprintf(buf, n, "%s/%s.%s", models, name, endings[i]);

        if (length > 0 && (size_t)length < n && stat(buf, &info) == 0)
            return true;
    }
    return false;
}

const char *cli_model_path(const char *name, char *buf, size_t n)
{
    struct stat info;

    if (stat(name, &info) != 0 && cli_pulled(name, buf, n))
        return buf;
    (void)snprintf(buf, n, "%s", name);
    return buf;
}

bool cli_make_folder(const char *path)
{
    char part[CLI_PATH];
    struct stat info;
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof(part)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        char c = part[i];

        if (c != '/' && c != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return false;
        part[i] = c;
    }
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return true;
    errno = ENOTDIR;
    return false;
}

const char *cli_npy_path(const char *folder, const char *prefix, const char *name, char *buf,
                         size_t n)
{
    int begin = snprintf(buf, n, "%s/%s", folder, prefix);

    if (begin < 0 || (size_t)begin >= n)
        return buf;
    (void)snprintf(buf + begin, n - (size_t)begin, "%s.npy", name);
    for (char *p = buf + begin; *p != '\0'; p++) {
        if (*p == '/' || *p == ':')
            *p = '_';
    }
    return buf;
}

bool cli_ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

const char *cli_suffix(const char *path, const char *suffix, char *buf, size_t n)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    size_t stem =
        dot != NULL && (slash == NULL || dot > slash) ? (size_t)(dot - path) : strlen(path);

    (void)snprintf(buf, n, "%.*s%s", (int)stem, path, suffix);
    return buf;
}

static bool files_readable(const char *path)
{
    FILE *f = fopen(path, "rb");

    if (f != NULL)
        (void)fclose(f);
    return f != NULL;
}

/* A GGUF file, or a folder with a tokenizer.json: these bring their own tokeniser. */
static bool files_have_tokenizer(const char *path)
{
    char magic[4] = "", inside[CLI_PATH + 16];
    FILE *f = fopen(path, "rb");
    bool has = f != NULL && fread(magic, 1, 4, f) == 4 && memcmp(magic, "GGUF", 4) == 0;

    if (f != NULL)
        (void)fclose(f);
    (void)snprintf(inside, sizeof(inside), "%s/tokenizer.json", path);
    return has || files_readable(inside);
}

bool cli_tokenizer_path(const char *model, char *buf, size_t n)
{
    char path[CLI_PATH], beside[CLI_PATH];
    const char *slash;

    (void)cli_model_path(model, path, sizeof(path));
    (void)cli_suffix(path, ".tokenizer.json", buf, n);
    if (files_readable(buf))
        return true;
    if (files_have_tokenizer(path)) {
        (void)snprintf(buf, n, "%s", path);
        return true;
    }
    slash = strrchr(path, '/');
    (void)snprintf(beside, sizeof(beside), "%.*s", slash == NULL ? 0 : (int)(slash - path + 1),
                   path);
    if (strlen(beside) + sizeof("tokenizer.json") > n)
        return false;
    (void)snprintf(buf, n, "%stokenizer.json", beside);
    return files_readable(buf);
}

bool cli_text_read(cli_text *t, const char *path, int *status)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char chunk[1 << 14];
    size_t n;
    bool ok;

    if (f == NULL) {
        *status = cli_fail_text("%s: cannot be opened", path);
        return false;
    }
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        cli_text_add(t, chunk, n);
    ok = ferror(f) == 0 && !t->failed;
    if (f != stdin)
        (void)fclose(f);
    if (!ok)
        *status = cli_fail_text("%s: cannot be read", path);
    return ok;
}

bool cli_exists(const char *path)
{
    return access(path, F_OK) == 0;
}
