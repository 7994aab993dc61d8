/* Any bytes as a policy and as a record. */
#include <assert.h>
#include <stdint.h>

#include "mail/mta_sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_of(data, len), id;
	struct mta_sts_policy policy;
	const char *why = NULL;

	if (mta_sts_id(&text, 1, &id))
		assert(id.len > 0 && id.len <= MTA_STS_ID_LEN_MAX && id.p > text.p);
	if (!mta_sts_parse(text, &policy, &why)) {
		assert(why != NULL);
		return 0;
	}
	assert(policy.mode < N_MTA_STS_MODES && policy.max_age <= MTA_STS_MAX_AGE_MAX);
	assert(policy.mode == MTA_STS_NONE || policy.n_mx > 0);
	for (size_t i = 0; i < policy.n_mx; i++)
		if (policy.mx[i].p[0] != '*')
			assert(mta_sts_allows(policy.mx, policy.n_mx, policy.mx[i]));
	return 0;
}
