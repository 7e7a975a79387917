// SPDX-License-Identifier: GPL-2.0-or-later
// What src/criu_plugin/abi.h says of CRIU is what CRIU says itself, where its header is. This is compiled
// and not run.
#include <stddef.h>

#include "abi.h"

#if __has_include(<criu/criu-plugin.h>)
#define CR_PLUGIN_DESC CR_PLUGIN_DESC_of_criu
#define criu_get_image_dir criu_get_image_dir_of_criu
#include <criu/criu-plugin.h>

/* Of two enumerations. */
#define ARE_SAME(ours, of_criu) _Static_assert((int)(ours) == (int)(of_criu), #ours)

ARE_SAME(STAGE_DUMP, CR_PLUGIN_STAGE__DUMP);
ARE_SAME(STAGE_PRE_DUMP, CR_PLUGIN_STAGE__PRE_DUMP);
ARE_SAME(STAGE_RESTORE, CR_PLUGIN_STAGE__RESTORE);
ARE_SAME(HOOK_RESUME_DEVICES_LATE, CR_PLUGIN_HOOK__RESUME_DEVICES_LATE);
/* Older ones are taken: a plugin of the oldest version is for all. */
_Static_assert(PLUGIN_VERSION <= CRIU_PLUGIN_VERSION && PLUGIN_VERSION > CRIU_PLUGIN_VERSION_OLD, "the version");
#define IS_AT(member) ARE_SAME(offsetof(struct plugin_description, member), offsetof(cr_plugin_desc_t, member))

IS_AT(name);
IS_AT(init);
IS_AT(exit);
IS_AT(version);
IS_AT(max_hooks);
IS_AT(hooks);
/* Older headers do not know the other hook: it is only in the number of hooks. */
_Static_assert((int)CR_PLUGIN_HOOK__MAX == HOOKS_OF_CRIU_3 || (int)CR_PLUGIN_HOOK__MAX >= HOOKS_OF_CRIU_4,
	       "the number of hooks");
#endif

int main(void)
{
	return 0;
}
