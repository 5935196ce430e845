/* Version of the library. The build reads the three numbers from here. */
#ifndef SALIENCE_VERSION_H
#define SALIENCE_VERSION_H

#include <salience/export.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SAL_VERSION_MAJOR 0
#define SAL_VERSION_MINOR 1
#define SAL_VERSION_PATCH 0

/* "0.1.0": of the library that is loaded, which may be newer than the header. Static. */
SAL_API const char *sal_version(void);

#ifdef __cplusplus
}
#endif
#endif
