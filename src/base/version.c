/* The version the library was built as. */
#include <salience/version.h>

#define VERSION_TEXT(a, b, c)   #a "." #b "." #c
#define VERSION_EXPAND(a, b, c) VERSION_TEXT(a, b, c)

const char *sal_version(void)
{
    return VERSION_EXPAND(SAL_VERSION_MAJOR, SAL_VERSION_MINOR, SAL_VERSION_PATCH);
}
