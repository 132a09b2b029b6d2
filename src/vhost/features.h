/* The one of virtio's feature bits that vhost-user has for itself. */
#ifndef VHOST_FEATURES_H
#define VHOST_FEATURES_H

/* Protocol features are negotiated, too; without it rings need no enabling. */
#define FEATURE_PROTOCOL 30

#endif
