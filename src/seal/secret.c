#include "seal/secret.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/fd.h"

struct secret *secret_new(void)
{
	cipher_init();
	struct secret *secret = sodium_malloc(sizeof(*secret));

	if (secret == NULL)
		abort();
	sodium_memzero(secret, sizeof(*secret));
	return secret;
}

struct secret *secret_random(void)
{
	struct secret *secret = secret_new();

	cipher_random(secret->bytes, SECRET_LEN);
	return secret;
}

struct secret *secret_copy(const uint8_t bytes[static SECRET_LEN])
{
	struct secret *secret = secret_new();

	memcpy(secret->bytes, bytes, SECRET_LEN);
	return secret;
}

void secret_free(struct secret **secret)
{
	sodium_free(*secret);
	*secret = NULL;
}

struct secret *secret_take(struct secret **secret)
{
	struct secret *taken = *secret;

	*secret = NULL;
	return taken;
}

struct secret *secret_derive(const struct secret *parent, const char *label, struct str context)
{
	struct secret *secret = secret_new();

	cipher_derive(parent->bytes, label, context, secret->bytes);
	return secret;
}

int secret_to_memfd(const struct secret *secret, int *ret_fd)
{
	return fd_sealed_memfd("secret", str_of(secret->bytes, SECRET_LEN), ret_fd);
}

int secret_from_memfd(int fd, struct secret **ret_secret)
{
	size_t len;
	int r = fd_check_sealed(fd, &len);

	if (r < 0)
		return r;
	if (len != SECRET_LEN)
		return -EBADMSG;
	struct secret *secret CLEANUP(secret_free) = secret_new();
	r = fd_pread_all(fd, secret->bytes, SECRET_LEN, 0);
	if (r < 0)
		return r;
	*ret_secret = secret_take(&secret);
	return 0;
}
