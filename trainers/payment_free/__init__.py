"""Payment-free allocation learned by gradients: the trainer ``payment_free`` of ExS-Net and RPF-Net."""
